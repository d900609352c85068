using System.Diagnostics;
using System.Globalization;

namespace Penstock.Lambda.Tests;

/// <summary>The short form of bench/coldstart.sh, where the package was built.</summary>
public sealed class ColdStartTests
{
    [Fact]
    public async Task The_package_answers_its_first_event_within_the_limit()
    {
        var root = Root();
        if (!File.Exists(Path.Combine(root, "artifacts", "lambda", "package", "bootstrap"))) Assert.Skip("There is no package: build/lambda.sh makes it.");
        // What a busy machine takes says nothing of the package.
        if (OperatingSystem.IsLinux() && double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) > Environment.ProcessorCount) Assert.Skip("The machine is busy.");
        var start = new ProcessStartInfo("bash", [Path.Combine(root, "bench", "coldstart.sh"), "3"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Wait.Token);
        var errors = process.StandardError.ReadToEndAsync(Wait.Token);
        await process.WaitForExitAsync(Wait.Token);

        Assert.True(process.ExitCode == 0, await output + await errors);
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Penstock.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not run from within the repository.");
        return folder;
    }
}
