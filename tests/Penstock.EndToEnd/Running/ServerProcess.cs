using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Penstock.EndToEnd.Running;

/// <summary>The real server as a process of its own: started, listened to, stopped as an operator would, and killed only by its own id.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private const string Ready = "Penstock is ready on ";

    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);
    private static readonly string Library = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory,
        typeof(ServerProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "ServerPath").Value!));

    private readonly Process _process;
    private readonly Task _reading;
    private readonly Lock _lock = new();
    private readonly List<string> _output = [];
    private readonly StringBuilder _errors = new();
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _ownsFolder;
    private bool _told;

    private ServerProcess(ServerOptions options)
    {
        Options = options;
        _ownsFolder = options.Folder is null;
        Folder = options.Folder ?? Directory.CreateTempSubdirectory("penstock-e2e-").FullName;
        if ((options.Config ?? (File.Exists(ConfigPath) ? null : "{}")) is { } config) File.WriteAllText(ConfigPath, Calm(config));
        _process = Process.Start(StartInfo()) ?? throw new InvalidOperationException("No process was started.");
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput, Heard), ReadAsync(_process.StandardError, line => _errors.AppendLine(line)));
    }

    public ServerOptions Options { get; }

    public string Folder { get; }

    public string DataFolder => Path.Combine(Folder, "data");

    public string ConfigPath => Path.Combine(Folder, "penstock.json");

    public int Id => _process.Id;

    public Uri Address { get; private set; } = null!;

    public bool Running => !_process.HasExited;

    public string ErrorText
    {
        get { lock (_lock) return _errors.ToString(); }
    }

    public IReadOnlyList<string> Output
    {
        get { lock (_lock) return [.. _output]; }
    }

    public IReadOnlyList<LogLine> Log => [.. Output.Select(LogLine.Parse).OfType<LogLine>()];

    /// <summary>Returns when it is ready; throws with all it said where it ended before.</summary>
    public static async Task<ServerProcess> StartAsync(ServerOptions options)
    {
        var server = new ServerProcess(options);
        try
        {
            var ended = server._process.WaitForExitAsync(Wait.Token);
            if (await Task.WhenAny(server._ready.Task.WaitAsync(StartTime, Wait.Token), ended) == ended)
                throw new InvalidOperationException($"The server ended with {server._process.ExitCode}: {server.ErrorText}{string.Join('\n', server.Output)}");
            server.Address = await server._ready.Task;
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>For starts that are to be refused.</summary>
    public static async Task<(int Code, string Errors, IReadOnlyList<string> Output)> RunToEndAsync(ServerOptions options)
    {
        await using var server = new ServerProcess(options);
        await server._process.WaitForExitAsync(Wait.Token).WaitAsync(StartTime, Wait.Token);
        await server._reading;
        return (server._process.ExitCode, server.ErrorText, server.Output);
    }

    /// <summary>Stops it where no test did; fails, with its exit code and its last words, where it ended without being told to.</summary>
    public async Task CloseAsync()
    {
        const int Shown = 20;
        if (Running)
        {
            await StopAsync();
            return;
        }

        if (_told) return;
        await _reading;
        Assert.Fail($"The server ended by itself with {_process.ExitCode}. Its last words:\n{string.Join('\n', Output.TakeLast(Shown))}\n{ErrorText}");
    }

    public void Terminate()
    {
        _told = true;
        if (Signal(_process.Id, SigTerm) != 0) throw new InvalidOperationException($"SIGTERM to {_process.Id}: errno {Marshal.GetLastPInvokeError()}.");
    }

    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync(TimeSpan within)
    {
        await _process.WaitForExitAsync(Wait.Token).WaitAsync(within, Wait.Token);
        await _reading;
        return _process.ExitCode;
    }

    public async Task StopAsync()
    {
        Terminate();
        Assert.Equal(0, await EndAsync(TimeSpan.FromSeconds(45)));
    }

    /// <summary>As a power cut would.</summary>
    public async Task KillAsync()
    {
        _told = true;
        _process.Kill();
        await _process.WaitForExitAsync(Wait.Token);
        await _reading;
    }

    public async Task<LogLine> LoggedAsync(Func<LogLine, bool> match, TimeSpan within)
    {
        LogLine? found = null;
        await Wait.UntilAsync(() => Task.FromResult((found = Log.FirstOrDefault(match)) is not null), within, () => $"a log line in\n{string.Join('\n', Output.TakeLast(20))}");
        return found!;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
        if (_ownsFolder) Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Unless a test says what is to happen, a provider's failure is told at once: no retries, and no target is closed to the calls after it.</summary>
    private static string Calm(string config)
    {
        if (JsonNode.Parse(config) is not JsonObject root || root.ContainsKey("routing")) return config;
        root["routing"] = new JsonObject { ["retries"] = 0, ["breaker"] = "off" };
        return root.ToJsonString();
    }

    private ProcessStartInfo StartInfo()
    {
        var start = new ProcessStartInfo(System.Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { Library },
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // What the machine's owner has set for other programs is none of the test's.
        var kept = start.Environment.Where(pair => pair.Key is "PATH" or "HOME" or "TMPDIR" or "LANG" || pair.Key.StartsWith("DOTNET_", StringComparison.Ordinal)).ToArray();
        start.Environment.Clear();
        foreach (var (name, value) in kept) start.Environment[name] = value;
        start.Environment["PORT"] = "0";
        start.Environment["PENSTOCK_DATA"] = DataFolder;
        start.Environment["PENSTOCK_ADMIN_KEY"] = Options.AdminKey;
        foreach (var (name, value) in Options.Environment)
        {
            if (value is null) start.Environment.Remove(name);
            else start.Environment[name] = value;
        }

        return start;
    }

    private async Task ReadAsync(StreamReader reader, Action<string> heard)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lock) heard(line);
        }
    }

    private void Heard(string line)
    {
        _output.Add(line);
        if (LogLine.Parse(line) is { Message: { } message } && message.StartsWith(Ready, StringComparison.Ordinal)) _ready.TrySetResult(new Uri(message[Ready.Length..]));
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int process, int signal);
}
