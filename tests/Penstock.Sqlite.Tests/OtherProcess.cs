using System.Diagnostics;
using Penstock.Agents;
using Penstock.Sqlite.Agents;
using Penstock.Sqlite.Budgets;

namespace Penstock.Sqlite.Tests;

/// <summary>A second process on a data folder: this assembly, started again. It says what it did line by line.</summary>
internal sealed class OtherProcess : IDisposable
{
    public const string Mark = "--other-process";
    public const string Opened = "opened";
    public const int EntriesAtOnce = 3;
    private const int Producers = 16;

    private readonly Process _process;

    private OtherProcess(Process process) => _process = process;

    public int Pid => _process.Id;

    /// <summary>Opens the store, says so, and keeps it until it is killed. Refused: says why, and ends.</summary>
    public static OtherProcess Hold(string folder) => Start("hold", folder, "");

    /// <summary>Appends from several tasks until it is killed, and names each attempt once its append has completed.</summary>
    public static OtherProcess Append(string folder, string prefix) => Start("append", folder, prefix);

    /// <summary>Appends to runs from several tasks until it is killed; names the run and its next number once an append has completed.</summary>
    public static OtherProcess AppendToRuns(string folder, string prefix) => Start("runs", folder, prefix);

    public async Task<string?> ReadLineAsync(CancellationToken ct) => await _process.StandardOutput.ReadLineAsync(ct);

    /// <summary>SIGKILL: nothing in the process gets to run any more.</summary>
    public async Task KillAsync(CancellationToken ct)
    {
        _process.Kill();
        await _process.WaitForExitAsync(ct);
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    public static async Task<int> MainAsync(string[] args)
    {
        var (task, folder, prefix) = (args[0], args[1], args[2]);
        try
        {
            await using var database = SqliteDatabase.Open(new SqliteOptions { DataFolder = folder });
            Console.WriteLine(Opened);
            await (task switch
            {
                "append" => AppendForEverAsync(database, prefix),
                "runs" => AppendToRunsForEverAsync(database, prefix),
                _ => Console.In.ReadLineAsync(),
            });
            return 0;
        }
        catch (DataFolderInUseException e)
        {
            Console.WriteLine(e.Message);
            return 3;
        }
    }

    private static Task AppendForEverAsync(SqliteDatabase database, string prefix) => Task.WhenAll(Enumerable.Range(0, Producers).Select(async producer =>
    {
        var store = new SqliteBudgetStore(database);
        for (var i = 0; ; i++)
        {
            var row = Rows.Row($"{prefix}-{producer}-{i}");
            await store.SettleAsync(row, CancellationToken.None);
            Console.WriteLine(row.Attempt);
        }
    }));

    private static Task AppendToRunsForEverAsync(SqliteDatabase database, string prefix) => Task.WhenAll(Enumerable.Range(0, Producers).Select(async producer =>
    {
        var store = new SqliteRunStore(database);
        var run = Rows.Run($"{prefix}-{producer}");
        await store.CreateAsync(run, [], CancellationToken.None);
        await store.AcquireAsync(run, "w1", false, CancellationToken.None);
        for (var seq = 0L; ; seq += EntriesAtOnce)
        {
            var entries = Enumerable.Range(0, EntriesAtOnce).Select(i => new JournalEntry(seq + i, "model.result", run.CreatedAt, 1, $$"""{"text":"{{seq + i}}"}""")).ToArray();
            var append = new RunAppend { Tenant = run.Tenant, Run = run.Id, Epoch = 1, Seq = seq, Entries = entries };
            if (!await store.AppendAsync(append, CancellationToken.None)) throw new InvalidOperationException("Its own run was refused.");
            Console.WriteLine($"{run.Id} {seq + EntriesAtOnce}");
        }
    }));

    private static OtherProcess Start(string task, string folder, string prefix)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in new[] { "exec", typeof(OtherProcess).Assembly.Location, Mark, task, folder, prefix }) start.ArgumentList.Add(argument);
        return new OtherProcess(Process.Start(start)!);
    }
}
