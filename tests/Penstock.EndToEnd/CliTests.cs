using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

/// <summary>The command line as a process, in a folder of its own.</summary>
public sealed class CliTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_second_migration_changes_nothing()
    {
        var first = await RunAsync("db", "migrate");
        var database = await File.ReadAllBytesAsync(Path.Combine(_folder.Path, "data", "penstock.db"), TestContext.Current.CancellationToken);
        var second = await RunAsync("db", "migrate");

        Assert.Equal((0, 0), (first.Code, second.Code));
        Assert.StartsWith("applied 1 'keys and ledger'", first.Said, StringComparison.Ordinal);
        Assert.Contains("nothing was changed", second.Said, StringComparison.Ordinal);
        Assert.Equal(database, await File.ReadAllBytesAsync(Path.Combine(_folder.Path, "data", "penstock.db"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_second_seed_changes_nothing_and_shows_no_key()
    {
        var first = await RunAsync("db", "seed");
        var second = await RunAsync("db", "seed");

        Assert.Equal((0, 0), (first.Code, second.Code));
        Assert.Contains("sk-pen-sample-", first.Said, StringComparison.Ordinal);
        Assert.Contains("Added 240 sample calls", first.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-pen-", second.Said, StringComparison.Ordinal);
        Assert.Contains("240 sample calls are there already", second.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_names_every_error_of_a_file_at_once()
    {
        await File.WriteAllTextAsync(
            Path.Combine(_folder.Path, "penstock.json"), """{"limits": {"burst": 0}, "tiers": {"fast": {"targets": ["nobody/x"]}}, "gateway": {"pingSeconds": "soon"}, "oops": 1}""", TestContext.Current.CancellationToken);

        var ran = await RunAsync("config");

        Assert.Equal(2, ran.Code);
        foreach (var name in new[] { "limits.burst", "tiers.fast.targets[0]", "gateway.pingSeconds", "'oops' is not a section" }) Assert.Contains(name, ran.Erred, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_says_where_the_tiers_lead_and_what_is_not_yet_used()
    {
        var ran = await RunAsync("config");

        Assert.Equal(0, ran.Code);
        Assert.Contains("fast → local/local, at most 1024 output tokens", ran.Said, StringComparison.Ordinal);
        Assert.Contains("not yet used AWS_ACCOUNT_ID", ran.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_shows_a_week_beside_the_week_before()
    {
        await RunAsync("db", "seed");

        var ran = await RunAsync("report");

        Assert.Equal(0, ran.Code);
        var lines = ran.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var total = lines.Single(line => line.StartsWith("total", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var models = lines.Where(line => line.StartsWith("model", StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.Equal("56", total[^2]);
        Assert.Equal(56, models.Sum(model => int.Parse(model[^2], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Contains(lines, line => line.StartsWith("project  sample", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("key      sample", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_prompt_is_pushed_compared_put_into_use_and_rolled_back_one_step()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "prompts"));
        var file = Path.Combine(folder.FullName, "greeting.md");
        var ct = TestContext.Current.CancellationToken;
        await File.WriteAllTextAsync(file, Greeting("1", "Greet warmly."), ct);
        Assert.Equal(0, (await RunAsync("prompts", "push", "--label", "production")).Code);
        await File.WriteAllTextAsync(file, Greeting("2", "Greet coolly."), ct);
        Assert.Equal(0, (await RunAsync("prompts", "push", "--label", "staging", "--reason", "to see")).Code);

        var diff = await RunAsync("prompts", "diff", "greeting", "greeting:staging");
        var moved = await RunAsync("prompts", "label", "greeting", "production", "greeting:staging", "--reason", "cooler");
        var back = await RunAsync("prompts", "rollback", "greeting", "production");
        var history = await RunAsync("prompts", "history", "greeting");

        Assert.Equal((1, 0, 0), (diff.Code, moved.Code, back.Code));
        foreach (var line in new[] { "-version: \"1\"", "+version: \"2\"", "-Greet warmly.", "+Greet coolly." }) Assert.Contains(line, diff.Said.Split('\n'));
        Assert.Equal(["production", "production", "staging", "production"], history.Said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2]));
        Assert.Contains("cooler", history.Said, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("prompts", "diff", "greeting", "greeting:production")).Code);
        Assert.Equal(2, (await RunAsync("prompts", "rollback", "greeting", "production")).Code);
    }

    [Fact]
    public async Task Prompts_with_errors_are_not_pushed_and_every_error_is_told()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "prompts"));
        var ct = TestContext.Current.CancellationToken;
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "a.md"), Greeting("1", "Greet {{who}}."), ct);
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "b.md"), "nothing", ct);

        var push = await RunAsync("prompts", "push");
        var list = await RunAsync("prompts", "list");

        Assert.Equal(2, push.Code);
        Assert.Contains("a.md:9: {{who}} is not among", push.Erred, StringComparison.Ordinal);
        Assert.Contains("b.md:1: The file must begin", push.Erred, StringComparison.Ordinal);
        Assert.DoesNotContain("greeting", list.Said, StringComparison.Ordinal);
        Assert.Contains("comes with this build  production", list.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Definitions_of_agents_are_checked_and_every_error_is_told()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "agents"));
        var ct = TestContext.Current.CancellationToken;
        const string Good = "apiVersion: v1\nkind: Agent\nname: helper\nversion: 1.0.0\ndescription: Helps.\nmodel: fast\ninstructions: Help.\nlimits: {usd: 0.1, steps: 2, wall: 1m}\n";
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "a.yaml"), Good, ct);

        var good = await RunAsync("agents", "check", "agents/a.yaml");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "b.yaml"), Good.Replace("helper", "other", StringComparison.Ordinal).Replace("usd: 0.1", "usd: free", StringComparison.Ordinal) + "colour: red\n", ct);
        var bad = await RunAsync("agents", "check");

        Assert.Equal((0, 2), (good.Code, bad.Code));
        Assert.Matches("^ok  helper 1.0.0 [0-9a-f]{12}  agents/a.yaml\n$", good.Said);
        Assert.Contains("b.yaml:8: 'limits.usd' must be a number", bad.Erred, StringComparison.Ordinal);
        Assert.Contains("b.yaml:9: 'colour' is no member here", bad.Erred, StringComparison.Ordinal);
        Assert.Contains("ok  helper", bad.Said, StringComparison.Ordinal);
    }

    private static string Greeting(string version, string text) => $"---\nname: greeting\nuse-case: chat\nowner: tests\nversion: \"{version}\"\ndescription: Greets.\nmodel: fast\n---\n{text}\n";

    [Fact]
    public async Task An_sla_report_counts_the_calls_that_were_over_in_time_window_by_window()
    {
        await RunAsync("db", "seed");

        var all = await RunAsync("report", "--sla", "5s", "--target", "98.9");
        var none = await RunAsync("report", "--sla", "1ms", "--window", "hour", "--target", "98.9");
        var wrong = await RunAsync("report", "--sla", "soon");

        Assert.Equal((0, 1), (all.Code, none.Code));
        var total = Words(all.Said, "all");
        Assert.True(long.Parse(total[1], System.Globalization.CultureInfo.InvariantCulture) >= 56, all.Said);
        Assert.Equal((total[1], "100.00"), (total[2], total[3]));
        var days = all.Said.Split('\n').Where(line => line.StartsWith("20", StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.Equal(total[1], days.Sum(day => long.Parse(day[1], System.Globalization.CultureInfo.InvariantCulture)).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("0.00", Words(none.Said, "all")[3]);
        Assert.Contains("not met", none.Said, StringComparison.Ordinal);
        Assert.NotEqual(0, wrong.Code);
        Assert.Contains("must be a time", wrong.Erred, StringComparison.Ordinal);
    }

    private static string[] Words(string said, string first) => said.Split('\n').Single(line => line.StartsWith(first + " ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private Task<(int Code, string Said, string Erred)> RunAsync(params string[] arguments) => CliProcess.RunAsync(_folder.Path, arguments);
}
