using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Penstock.Emulators;

/// <summary>An emulator of DynamoDB as a process, in memory, on a port of its own of this machine.</summary>
internal sealed class DynamoEmulator : IAsyncDisposable
{
    private readonly Process _process;

    private DynamoEmulator(Process process, int port)
    {
        _process = process;
        Endpoint = new Uri($"http://127.0.0.1:{port}");
    }

    /// <summary>False where there is no such program.</summary>
    public static bool IsForThisMachine => OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64;

    public Uri Endpoint { get; }

    public static async Task<DynamoEmulator> StartAsync()
    {
        var program = Path.Combine(Folder(), "node_modules", "@dynoxide", "linux-x64", "dynoxide");
        if (!File.Exists(program)) throw new InvalidOperationException("The DynamoDB emulator is not installed: npm ci --prefix tests/emulators --ignore-scripts");

        var port = FreePort();
        var process = Process.Start(new ProcessStartInfo(program, ["--host", "127.0.0.1", "--port", $"{port}"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await AnswersAsync(process, port);
        return new DynamoEmulator(process, port);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>Where the emulators and what they need are.</summary>
    internal static string Folder()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Penstock.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not run from within the repository.");
        return Path.Combine(folder, "tests", "emulators");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task AnswersAsync(Process process, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return;
            }
            catch (SocketException) when (!process.HasExited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, limit.Token);
            }
        }
    }
}
