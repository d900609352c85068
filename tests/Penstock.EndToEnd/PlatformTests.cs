using System.Diagnostics;
using Penstock.EndToEnd.Running;
using Xunit.Sdk;

namespace Penstock.EndToEnd;

/// <summary>The fixture itself: what it hides, no test of a class sees.</summary>
public sealed class PlatformTests
{
    [Fact]
    public async Task A_server_that_ended_by_itself_fails_its_class_with_its_exit_code_and_last_words()
    {
        var platform = new Platform();
        await platform.InitializeAsync();
        using (var server = Process.GetProcessById(platform.Server.Id)) server.Kill();
        await Wait.UntilAsync(() => !platform.Server.Running, TimeSpan.FromSeconds(30), "the server ends");

        var told = await Assert.ThrowsAsync<FailException>(async () => await platform.DisposeAsync());

        Assert.Contains("The server ended by itself with 137", told.Message, StringComparison.Ordinal);
        Assert.Contains("Penstock is ready on", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_a_test_ended_fails_nothing()
    {
        var platform = new Platform();
        await platform.InitializeAsync();
        await platform.Server.KillAsync();

        await platform.DisposeAsync();
    }
}
