using System.Diagnostics;
using System.Reflection;

namespace Penstock.EndToEnd.Running;

/// <summary>The command line as a process of its own.</summary>
internal static class CliProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string Program = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, typeof(CliProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "CliPath").Value!));

    /// <summary>Runs in <paramref name="folder"/>, whose <c>data</c> is the data.</summary>
    public static Task<(int Code, string Said, string Erred)> RunAsync(string folder, params string[] arguments) => RunAsync(folder, new Dictionary<string, string?>(), arguments);

    /// <param name="environment">Over the usual one.</param>
    public static async Task<(int Code, string Said, string Erred)> RunAsync(string folder, IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Program, .. arguments]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in new[] { "OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "PENSTOCK_DATA" }) start.Environment.Remove(name);
        start.Environment["AWS_ACCOUNT_ID"] = "123456789012";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        timeout.CancelAfter(Patience);
        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var erred = process.StandardError.ReadToEndAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        return (process.ExitCode, await said, await erred);
    }
}
