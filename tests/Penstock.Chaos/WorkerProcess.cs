using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Penstock.Upstream;

namespace Penstock.Chaos;

/// <summary>A worker as a process of its own: killed, stopped and continued only by its own id.</summary>
internal sealed partial class WorkerProcess : IAsyncDisposable
{
    public const string AdminKey = "sk-pen-test-00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    private const int SigTerm = 15;
    private const int SigCont = 18;
    private const int SigStop = 19;

    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly StringBuilder _said = new();
    private bool _disposed;
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WorkerProcess(string folder, World world, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "exec", typeof(WorkerProcess).Assembly.Location, Worker.Mark }) start.ArgumentList.Add(argument);
        start.Environment["PENSTOCK_DATA"] = Path.Combine(folder, "data");
        start.Environment["PENSTOCK_ADMIN_KEY"] = AdminKey;
        start.Environment["PENSTOCK_DRAIN_SECONDS"] = "5";
        start.Environment["OPENAI_API_KEY"] = UpstreamServer.OpenAiKey;
        start.Environment["OPENAI_BASE_URL"] = world.Model.BaseUrl + "/v1";
        start.Environment["ANTHROPIC_API_KEY"] = UpstreamServer.AnthropicKey;
        start.Environment["ANTHROPIC_BASE_URL"] = world.Model.BaseUrl;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Hear(line.Data);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool Running => !_process.HasExited;

    public AgentApi Api { get; private set; } = null!;

    /// <summary>All it wrote.</summary>
    public string Said
    {
        get { lock (_said) return _said.ToString(); }
    }

    public static async Task<WorkerProcess> StartAsync(string folder, World world, IReadOnlyDictionary<string, string>? environment = null)
    {
        var worker = new WorkerProcess(folder, world, environment ?? new Dictionary<string, string>());
        var ended = worker._process.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (await Task.WhenAny(worker._ready.Task.WaitAsync(StartTime, TestContext.Current.CancellationToken), ended) == ended)
            throw new InvalidOperationException($"The worker ended with {worker._process.ExitCode}: {worker.Said}");
        worker.Api = await AgentApi.WithKeyAsync(await worker._ready.Task, AdminKey);
        return worker;
    }

    public Task EndedAsync(CancellationToken ct) => _process.WaitForExitAsync(ct);

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    public void Stop() => Send(SigStop);

    public void Continue() => Send(SigCont);

    public async Task TerminateAsync()
    {
        Send(SigTerm);
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        if (!_process.HasExited) await KillAsync();
        Api?.Dispose();
        _process.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_said) _said.AppendLine(line);
        if (line.StartsWith(Worker.Ready, StringComparison.Ordinal)) _ready.TrySetResult(new Uri(line[Worker.Ready.Length..]));
    }

    private void Send(int signal)
    {
        if (Signal(_process.Id, signal) != 0) throw new InvalidOperationException($"Signal {signal} to {_process.Id}: errno {Marshal.GetLastPInvokeError()}.");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int process, int signal);
}
