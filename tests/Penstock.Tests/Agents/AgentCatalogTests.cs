using Penstock.Agents;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Penstock.Tests.Http;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class AgentCatalogTests : IDisposable
{
    private static readonly string[] Shipped = ["classification", "code-review", "custom", "document-analysis", "extraction", "research", "support"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("penstock-");
    private readonly LogSink _log = new();
    private readonly AgentCatalog _catalog;

    public AgentCatalogTests() => _catalog = new AgentCatalog(_log.For<AgentCatalog>());

    public void Dispose()
    {
        _log.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void Those_that_come_with_the_build_are_there_and_limited()
    {
        _catalog.Use(_folder.FullName);
        Assert.Equal(Shipped, _catalog.Current.Select(definition => definition.Name));
        Assert.All(_catalog.Current, definition => Assert.InRange(definition.Limits.Usd.Usd, 0.01m, 0.50m));
        Assert.All(_catalog.Current, definition => Assert.InRange(definition.Limits.Steps, 1, 30));
        Assert.Equal(["search", "http_fetch", "summarize", "extract", "calculator"], _catalog.Find("research").Tools.Select(tool => tool.Name));
        foreach (var input in new[] { """{"topic":"renewable energy trends"}""", "\"a text\"", """{"topic":"x","documents":["a",{"docId":"d","title":"t","uri":"https://x.test","text":"b"}]}""" })
            Assert.Null(_catalog.Find("research").Input!.Check(System.Text.Json.JsonDocument.Parse(input).RootElement));
        Assert.NotNull(_catalog.Find("research").Input!.Check(System.Text.Json.JsonDocument.Parse("7").RootElement));
    }

    [Fact]
    public void An_unknown_agent_is_404_that_lists_what_there_is()
    {
        var refusal = Assert.Throws<RefusedException>(() => _catalog.Find("reserch")).Refusal;
        Assert.Equal((404, "agent_not_found"), (refusal.Status, refusal.Code));
        Assert.Equal($"There is no agent 'reserch'. There are: {string.Join(", ", Shipped)}.", refusal.Message);
        Assert.Contains("(unreadable)", Assert.Throws<RefusedException>(() => _catalog.Find("a\nb")).Refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_added_changed_or_removed_is_in_force_once_it_stood_still_for_a_look()
    {
        _catalog.Use(_folder.FullName);
        Write("a.yaml", Named("helper", "1.0.0"));
        _catalog.Look();
        Assert.DoesNotContain(_catalog.Current, definition => definition.Name == "helper");
        _catalog.Look();
        Assert.Equal("1.0.0", _catalog.Find("helper").Version);

        // Somebody writes it in pieces: only the whole counts.
        var pinned = _catalog.Find("helper");
        Write("a.yaml", Named("helper", "2.0.0")[..60]);
        _catalog.Look();
        Write("a.yaml", Named("helper", "2.0.0"));
        _catalog.Look();
        Assert.Same(pinned, _catalog.Find("helper"));
        _catalog.Look();
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
        Assert.DoesNotContain(_log.Lines, line => line.Level == Microsoft.Extensions.Logging.LogLevel.Error);

        File.Delete(Path.Combine(_folder.FullName, "a.yaml"));
        _catalog.Look();
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
        _catalog.Look();
        Assert.Equal(Shipped, _catalog.Current.Select(definition => definition.Name));
    }

    [Fact]
    public void A_file_with_errors_is_refused_with_each_of_them_once_and_what_was_there_stays()
    {
        Write("a.yaml", Named("helper", "1.0.0"));
        _catalog.Use(_folder.FullName);
        Write("a.yaml", Named("helper", "2.0.0").Replace("usd: 0.50, ", "", StringComparison.Ordinal) + "\ncolour: red");
        Write("b.yaml", "name: other");
        for (var i = 0; i < 5; i++) _catalog.Look();

        Assert.Equal("1.0.0", _catalog.Find("helper").Version);
        var told = _log.Lines.Where(line => line.Level == Microsoft.Extensions.Logging.LogLevel.Error).Select(line => line.Text).ToList();
        Assert.Single(told, text => text.Contains("a.yaml:8: 'limits.usd' is required", StringComparison.Ordinal));
        Assert.Single(told, text => text.Contains("a.yaml:9: 'colour' is no member", StringComparison.Ordinal));
        Assert.Contains("The file 'b.yaml' would be it, and has errors", Assert.Throws<RefusedException>(() => _catalog.Find("other")).Refusal.Message, StringComparison.Ordinal);

        Write("a.yaml", Named("helper", "3.0.0"));
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("3.0.0", _catalog.Find("helper").Version);
    }

    [Fact]
    public void An_operators_definition_stands_in_the_place_of_a_shipped_one_until_it_is_removed()
    {
        Write("mine.yml", Named("research", "9.9.9"));
        _catalog.Use(_folder.FullName);
        Assert.Equal("9.9.9", _catalog.Find("research").Version);
        File.Delete(Path.Combine(_folder.FullName, "mine.yml"));
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("1.0.0", _catalog.Find("research").Version);
    }

    [Fact]
    public void A_name_belongs_to_the_file_that_has_it()
    {
        Write("b.yaml", Named("helper", "1.0.0"));
        _catalog.Use(_folder.FullName);
        Write("a.yaml", Named("helper", "2.0.0"));
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("1.0.0", _catalog.Find("helper").Version);
        Assert.Contains(_log.Lines, line => line.Text.Contains("a.yaml: 'helper' is the name of the agent in b.yaml too", StringComparison.Ordinal));
        File.Delete(Path.Combine(_folder.FullName, "b.yaml"));
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
    }

    [Fact]
    public void Who_hands_work_to_an_agent_that_is_not_there_is_refused_and_so_is_who_hands_work_to_that_one()
    {
        Write("a.yaml", Named("first", "1.0.0") + "\nagents: [second]");
        Write("b.yaml", Named("second", "1.0.0") + "\nagents: [nobody]");
        Write("c.yaml", Named("third", "1.0.0") + "\nagents: [research, third]");
        _catalog.Use(_folder.FullName);
        Assert.Equal([.. Shipped.Append("third").Order()], _catalog.Current.Select(definition => definition.Name));
        Assert.Contains(_log.Lines, line => line.Text.Contains("'agents' names 'nobody', which is no agent here", StringComparison.Ordinal));
        Assert.Contains(_log.Lines, line => line.Text.Contains("'agents' names 'second', which is no agent here", StringComparison.Ordinal));
    }

    [Fact]
    public void A_prompt_that_changes_changes_its_definition()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "prompts"));
        Write("prompts/a.md", "One.");
        Write("a.yaml", Named("helper", "1.0.0").Replace("instructions: Help.", "prompt: {file: prompts/a.md}", StringComparison.Ordinal));
        _catalog.Use(_folder.FullName);
        Assert.Equal("One.", _catalog.Find("helper").Instructions);
        Write("prompts/a.md", "Two.");
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("Two.", _catalog.Find("helper").Instructions);
        File.Delete(Path.Combine(_folder.FullName, "prompts/a.md"));
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("Two.", _catalog.Find("helper").Instructions);
        Assert.Contains(_log.Lines, line => line.Text.Contains("'prompt.file' names 'prompts/a.md', which is not there", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_is_swapped_by_a_link_with_the_same_size_and_time_is_seen()
    {
        var (old, young) = (Path.Combine(_folder.FullName, "old"), Path.Combine(_folder.FullName, "young"));
        foreach (var (folder, version) in new[] { (old, "1.0.0"), (young, "2.0.0") })
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "a.yaml"), Named("helper", version));
            File.SetLastWriteTimeUtc(Path.Combine(folder, "a.yaml"), new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        }

        var mounted = Path.Combine(_folder.FullName, "mounted");
        Directory.CreateDirectory(mounted);
        Directory.CreateSymbolicLink(Path.Combine(mounted, "data"), old);
        File.CreateSymbolicLink(Path.Combine(mounted, "a.yaml"), Path.Combine("data", "a.yaml"));
        _catalog.Use(mounted);
        Assert.Equal("1.0.0", _catalog.Find("helper").Version);
        Directory.Delete(Path.Combine(mounted, "data"));
        Directory.CreateSymbolicLink(Path.Combine(mounted, "data"), young);
        for (var i = 0; i < 2; i++) _catalog.Look();
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
    }

    [Fact]
    public void A_folder_that_cannot_be_read_is_told_once_and_changes_nothing()
    {
        Write("a.yaml", Named("helper", "1.0.0"));
        _catalog.Use(_folder.FullName);
        for (var i = 0; i < 510; i++) Write($"x{i}.yaml", "");
        for (var i = 0; i < 3; i++) _catalog.Look();
        Assert.Equal("1.0.0", _catalog.Find("helper").Version);
        Assert.Single(_log.Lines, line => line.Text.Contains("has more than 500 definitions", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_watch_takes_in_a_change_within_two_seconds()
    {
        var time = new ManualTime();
        _catalog.Use(_folder.FullName);
        using var watch = new AgentWatch(_catalog, time);
        await watch.StartAsync(TestContext.Current.CancellationToken);
        Write("a.yaml", Named("helper", "1.0.0"));
        for (var i = 0; i < 2; i++)
        {
            time.Advance(AgentWatch.Every);
            await Task.Yield();
        }

        await GatewayHost.UntilAsync(() =>
        {
            var there = _catalog.Current.Any(definition => definition.Name == "helper");
            if (!there) time.Advance(TimeSpan.FromMilliseconds(1));
            return there;
        });
        await watch.StopAsync(CancellationToken.None);
    }

    [Fact]
    public void The_folder_is_configured_and_one_that_is_not_there_is_refused_by_name()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "agents"));
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "mine"));
        Write("agents/a.yaml", Named("helper", "1.0.0"));
        Write("mine/a.yaml", Named("helper", "2.0.0"));
        Config("{}");
        Assert.Equal("1.0.0", _catalog.Find("helper").Version);
        Config("""{"agents": {"folder": "mine"}}""");
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
        Assert.Contains("'agents.folder' names", Assert.Throws<ConfigException>(() => Config("""{"agents": {"folder": "none"}}""")).Message, StringComparison.Ordinal);
        Assert.Contains("'agents.path'", Assert.Throws<ConfigException>(() => Config("""{"agents": {"path": "mine"}}""")).Message, StringComparison.Ordinal);
        Assert.Equal("2.0.0", _catalog.Find("helper").Version);
    }

    [Fact]
    public async Task The_agents_are_listed_to_whoever_has_a_key()
    {
        Write("a.yaml", Named("helper", "1.0.0"));
        await using var host = await GatewayHost.StartAsync(config: "{\"agents\": {\"folder\": " + System.Text.Json.JsonSerializer.Serialize(_folder.FullName) + "}}");
        var answer = await host.GetAsync("/v1/agents", await host.AddKeyAsync("reader"));
        Assert.Equal(200, answer.Status);
        var listed = answer.Json.GetProperty("agents").EnumerateArray().ToList();
        Assert.Equal([.. Shipped.Append("helper").Order()], listed.Select(agent => agent.GetProperty("name").GetString()));
        var helper = listed.Single(agent => agent.GetProperty("name").GetString() == "helper");
        var hash = ((AgentCatalog)host.Services.GetService(typeof(AgentCatalog))!).Find("helper").Hash;
        const string Rest = "\"" + """description":"Helps.","model":{"alias":"fast","fallbacks":[]},"tools":[],"limits":{"usd":0.5,"steps":10,"wall":"20m","parallelTools":20,"toolCalls":100,"children":5,"depth":1}}""";
        Assert.Equal("""{"name":"helper","version":"1.0.0","hash":"HASH",""".Replace("HASH", hash, StringComparison.Ordinal) + Rest, helper.GetRawText());
        Assert.Equal(401, (await host.GetAsync("/v1/agents", null)).Status);
    }

    [Fact]
    public void A_check_tells_every_error_of_every_file_and_else_the_hash()
    {
        Write("a.yaml", Named("helper", "1.0.0"));
        Write("b.json", "{}");
        Write("c.yaml", Named("helper", "1.0.0") + "\nagents: [nobody]");
        var checks = AgentCheck.Of([_folder.FullName, Path.Combine(_folder.FullName, "gone.yaml")]);
        Assert.Equal([1, 8, 2, 1], checks.Select(check => check.Errors.Count));
        Assert.StartsWith("helper 1.0.0 ", AgentCheck.Of([Path.Combine(_folder.FullName, "a.yaml")]).Single().Agent, StringComparison.Ordinal);
        Assert.Contains(checks[2].Errors, error => error.Contains("'agents' names 'nobody'", StringComparison.Ordinal));
    }

    private void Config(string json)
    {
        var read = new ConfigRead(JsonView.Parse(System.Text.Encoding.UTF8.GetBytes(json))) { Folder = _folder.FullName };
        var apply = new AgentSection(_catalog).Read(read);
        if (read.Errors.Count > 0) throw new ConfigException(read.Errors);
        apply();
    }

    private static string Named(string name, string version) => Definitions.Least.Replace("helper", name, StringComparison.Ordinal).Replace("1.0.0", version, StringComparison.Ordinal);

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_folder.FullName, file), text);
}
