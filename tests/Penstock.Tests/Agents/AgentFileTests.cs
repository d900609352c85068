using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Agents;
using Penstock.Agents.Definitions;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tools;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class AgentFileTests
{
    private static readonly string[] Letters = ["a", "é", "\"", "\\", "\n", "😀", "{", "}", ":", "#", "- ", "<", "&"];

    private static readonly string Full = Definitions.Full.Replace("yes please", "true", StringComparison.Ordinal);

    [Fact]
    public void The_least_definition_has_every_default_written_out()
    {
        var read = Definitions.Good(Definitions.Least);
        Assert.Equal(
            """{"apiVersion":"v1","kind":"Agent","name":"helper","version":"1.0.0","description":"Helps.","model":{"alias":"fast","fallbacks":[]},"instructions":"Help.","tools":[],"agents":[],"limits":{"usd":0.5,"steps":10,"wall":"20m","parallelTools":20,"toolCalls":100,"children":5,"depth":1},"approvals":[],"context":{"maxTokens":60000,"threadMessages":20,"facts":10},"cites":false}""",
            read.Text);
        Assert.Equal(64, read.Hash.Length);
        Assert.Null(read.Input);
    }

    [Fact]
    public void Every_member_is_read()
    {
        var read = Definitions.Good(Full);
        Assert.Equal(("helper", "2.1.0", "Helps: with everything", "reasoning", true), (read.Name, read.Version, read.Description, read.Model, read.Cites));
        Assert.Equal(["standard", "openai/gpt-4.1"], read.Fallbacks);
        Assert.Equal("Help.\n  Indented, \"quoted\", ünï😀.", read.Instructions);
        Assert.Equal([new AgentTool("search"), new AgentTool("crm.*", ToolEffect.Idempotent, TimeSpan.FromHours(1), 3, 0)], read.Tools);
        Assert.Equal(["research"], read.Agents);
        Assert.Equal(new AgentLimits { Usd = Money.FromUsd(1.25m), Steps = 50, Wall = TimeSpan.FromMinutes(90), ParallelTools = 7, ToolCalls = 9, Children = 2, Depth = 3, OutputTokens = 500 }, read.Limits);
        Assert.Equal([new ApprovalRule("write_*", TimeSpan.FromHours(24), true), new ApprovalRule("pay", TimeSpan.FromSeconds(90))], read.Approvals);
        Assert.Equal(new AgentContext { MaxTokens = 9000, ThreadMessages = 0, Facts = 3 }, read.Context);
        Assert.NotNull(read.Input!.Check(JsonDocument.Parse("{}").RootElement));
        Assert.NotNull(read.Output!.Check(JsonDocument.Parse("""{"n": 17}""").RootElement));
    }

    [Fact]
    public void Json_and_yaml_of_the_same_members_are_the_same_definition()
    {
        var yaml = Definitions.Good(Full);
        var json = Definitions.Good(yaml.Text, "helper.json");
        Assert.Equal((yaml.Text, yaml.Hash), (json.Text, json.Hash));
        Assert.NotEqual(yaml.Hash, Definitions.Good(Full.Replace("2.1.0", "2.1.1", StringComparison.Ordinal)).Hash);
    }

    [Theory]
    [InlineData("name", "apiVersion: v1", "'name' is required")]
    [InlineData("limits", "apiVersion: v1", "'limits' is required")]
    public void What_is_required_is_named(string missing, string line, string problem)
    {
        var text = string.Join('\n', Definitions.Least.Split('\n').Where(one => !one.StartsWith(missing, StringComparison.Ordinal) && one != line).Append(line));
        Assert.Contains(problem, Assert.Single(Definitions.Read(text).Errors).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("apiVersion: v2", "'apiVersion' must be one of v1")]
    [InlineData("kind: Robot", "'kind' must be one of Agent")]
    [InlineData("name: Helper", "'name' must have 1 to 64 small letters")]
    [InlineData("version: 1.10", "put it in quotes")]
    [InlineData("description: ''", "'description' must not be empty")]
    [InlineData("model: [fast]", "'model' must be a string")]
    [InlineData("model: {alias: fast, fallback: [x]}", "'model.fallback' is no member here. Known: alias, fallbacks")]
    [InlineData("instructions: '  '", "'instructions' must not be empty")]
    [InlineData("prompt: {file: a.md}", "and not both")]
    [InlineData("inputSchema: {type: objekt}", "'inputSchema.type' must be one of object")]
    [InlineData("inputSchema: {unevaluatedProperties: false}", "'inputSchema.unevaluatedProperties' is a member of a JSON Schema that is not checked here")]
    [InlineData("outputSchema: {type: array}", "'outputSchema' must be a JSON Schema whose 'type' is \"object\"")]
    [InlineData("tools: [{name: a b}]", "'tools[0].name' must be a tool's name")]
    [InlineData("tools: [a, {name: b, effect: none}]", "'tools[1].effect' must be one of once, pure, idempotent")]
    [InlineData("tools: [{name: b, timeout: 30}]", "'tools[0].timeout' must be a time from 100ms to 1h")]
    [InlineData("tools: [{name: b, timeout: 2h}]", "it is 2h")]
    [InlineData("tools: [{name: b, retries: 11}]", "'tools[0].retries' must be a whole number from 0 to 10")]
    [InlineData("tools: [b, b]", "'tools' names 'b' more than once")]
    [InlineData("tools: search", "'tools' must be an array")]
    [InlineData("agents: [A]", "'agents[0]' must have")]
    [InlineData("limits: {usd: 0, steps: 1, wall: 1s}", "'limits.usd' must be more than 0")]
    [InlineData("limits: {usd: 1, steps: 0, wall: 1s}", "'limits.steps' must be a whole number")]
    [InlineData("limits: {usd: 1, steps: 1, wall: 31d}", "'limits.wall' must be a time from 1s to 30d")]
    [InlineData("limits: {steps: 1, wall: 1s}", "'limits.usd' is required: the most a run may spend")]
    [InlineData("limits: {usd: 1, wall: 1s}", "'limits.steps' is required")]
    [InlineData("limits: {usd: 1, steps: 1}", "'limits.wall' is required")]
    [InlineData("limits: none", "'limits' must hold named members")]
    [InlineData("approvals: [{tool: x}]", "'approvals[0].expires' is required")]
    [InlineData("approvals: [{tool: x, expires: 1h, onExpire: ask}]", "'approvals[0].onExpire' must be one of reject, approve")]
    [InlineData("context: {facts: -1}", "'context.facts' must be a whole number from 0")]
    [InlineData("cites: no", "'cites' must be true or false")]
    [InlineData("max_iterations: 5", "'max_iterations' is no member here. Known: apiVersion, kind, name")]
    public void An_error_names_its_path_what_is_wrong_and_its_line(string line, string problem)
    {
        var text = Definitions.With(line);
        var error = Assert.Single(Definitions.Read(text).Errors);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        // What is wrong with two members is told where the first of them stands.
        var where = line.StartsWith("prompt", StringComparison.Ordinal) ? 7 : text.Split('\n').Length;
        Assert.Equal($"helper.yaml:{where}", error.ToString().Split(": ")[0]);
    }

    [Fact]
    public void Every_error_of_a_file_is_told_at_once_in_the_order_of_its_lines()
    {
        var reading = Definitions.Read("""
            apiVersion: v1
            kind: Robot
            name: helper
            version: 1.10
            colour: red
            model: fast
            limits:
              usd: free
              steps: 1.5
            tools:
              - {name: x, effect: maybe, speed: 1}
              - {}
            """);
        Assert.Null(reading.Definition);
        Assert.Equal("helper", reading.Name);
        Assert.Equal([1, 1, 2, 4, 5, 7, 8, 9, 11, 11, 12], reading.Errors.Select(error => error.Line));
    }

    [Fact]
    public void Json_is_read_as_strictly()
    {
        Assert.Contains("the same field twice", Assert.Single(Definitions.Read("""{"name": "a", "name": "b"}""", "a.json").Errors).Message, StringComparison.Ordinal);
        Assert.StartsWith("a.json: The file", Assert.Single(Definitions.Read("{", "a.json").Errors).ToString(), StringComparison.Ordinal);
        Assert.Contains(Definitions.Read("""{"name": "a"}""", "a.json").Errors, error => error.ToString().StartsWith("a.json: 'limits' is required", StringComparison.Ordinal));
        Assert.Contains("UTF-8", Assert.Single(AgentFile.Read("a.json", new byte[] { 0xff }, _ => null).Errors).Message, StringComparison.Ordinal);
        Assert.Contains("larger than 256 KiB", Assert.Single(Definitions.Read(new string(' ', AgentFile.LargestBytes + 1)).Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_of_a_file_stands_in_the_definition_and_its_hash_is_held()
    {
        const string Hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"; // of "x"
        var text = Prompted("{file: prompts/a.md}");
        var read = Definitions.Good(text, prompts: ("prompts/a.md", "\uFEFFBe brief.\r\n\r\nBe kind.\r\n"));
        Assert.Equal("Be brief.\n\nBe kind.", read.Instructions);
        Assert.DoesNotContain("\"prompt\"", read.Text, StringComparison.Ordinal);
        Assert.Equal(read.Text, Definitions.Good(Definitions.With("instructions: \"Be brief.\\n\\nBe kind.\"")).Text);
        Assert.Equal("x", Definitions.Good(Prompted($"{{file: a.md, sha256: {Hash}}}"), prompts: ("a.md", "x")).Instructions);
        Assert.Contains($"which is {Hash}", Only(Prompted("{file: a.md, sha256: abc}"), ("a.md", "x")), StringComparison.Ordinal);
        Assert.Contains("which is not there", Only(Prompted("{file: b.md}")), StringComparison.Ordinal);
        Assert.Contains("front matter", Only(Prompted("{file: a.md}"), ("a.md", "---\nname: x\n---\nx")), StringComparison.Ordinal);
        foreach (var outside in new[] { "../a.md", "/etc/passwd", "a/../../b", "a//b", "'a\\b'", "./a" }) Assert.Contains("below the definition's folder", Only(Prompted($"{{file: {outside}}}")), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_definition_is_pinned_and_read_back_the_same()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var text = Some(new SeededSource((ulong)seed));
            var read = Definitions.Read(text);
            Assert.True(read.Errors.Count == 0, $"seed {seed}: {string.Join('\n', read.Errors)}\n{text}");
            var back = AgentCatalog.Read(read.Definition!.Text);
            Assert.Equal(Without(read.Definition), Without(back));
            Assert.Equal((read.Definition.Text, read.Definition.Hash), (AgentWriter.Sealed(back).Text, AgentWriter.Sealed(back).Hash));
            Assert.Equal(read.Definition.Tools, back.Tools);
            Assert.Equal(read.Definition.Approvals, back.Approvals);
            Assert.Equal(read.Definition.Fallbacks, back.Fallbacks);
            Assert.Equal(read.Definition.Output?.ToString(), back.Output?.ToString());
        }
    }

    [Fact]
    public void What_a_newer_build_pinned_is_read_and_what_is_none_is_refused()
    {
        var text = Definitions.Good(Definitions.Least).Text;
        var newer = text.Replace("\"cites\"", "\"colour\":\"red\",\"cites\"", StringComparison.Ordinal);
        Assert.Equal((newer, "helper"), (AgentCatalog.Read(newer).Text, AgentCatalog.Read(newer).Name));
        Assert.NotEqual(AgentCatalog.Read(text).Hash, AgentCatalog.Read(newer).Hash);
        Assert.Equal("invalid_request", Assert.Throws<RefusedException>(() => AgentCatalog.Read("{}")).Refusal.Code);
    }

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("30s", 30_000)]
    [InlineData("20m", 1_200_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("1d1ms", 86_400_001)]
    public void Times_are_read_and_written_as_people_do(string text, long milliseconds)
    {
        var view = JsonView.Parse(Encoding.UTF8.GetBytes($$"""{"t": "{{text}}"}""")).Required("t");
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Durations.Read(view, TimeSpan.Zero, TimeSpan.FromDays(30)));
        Assert.Equal(text, Durations.Write(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("1.5h")]
    [InlineData("-1s")]
    [InlineData("1m1h")]
    [InlineData("1s ")]
    [InlineData("PT30S")]
    [InlineData("9999999d")]
    public void What_is_no_time_is_refused(string text) =>
        Assert.Throws<RefusedException>(() => Durations.Read(JsonView.Parse(Encoding.UTF8.GetBytes($$"""{"t": "{{text}}"}""")).Required("t"), TimeSpan.Zero, TimeSpan.FromDays(30)));

    private static string Prompted(string prompt) => string.Join('\n', Definitions.Least.Split('\n').Where(line => !line.StartsWith("instructions", StringComparison.Ordinal)).Append($"prompt: {prompt}"));

    private static string Only(string text, params (string, string)[] prompts) => Assert.Single(Definitions.Read(text, "helper.yaml", prompts).Errors).Message;

    private static AgentDefinition Without(AgentDefinition definition) => definition with { Tools = [], Approvals = [], Fallbacks = [], Agents = [], Input = null, Output = null };

    private static string Some(SeededSource chance)
    {
        string Text() => JsonSerializer.Serialize(string.Concat(Enumerable.Range(0, 1 + chance.Below(19)).Select(_ => Letters[chance.Below(Letters.Length)])).Trim() + "x", JsonSerializerOptions.Web);
        string Maybe(string line) => chance.Below(2) == 0 ? line + "\n" : "";
        string Time() => Durations.Write(TimeSpan.FromMilliseconds(100 + chance.Below(3_599_900)));
        var usd = ((1 + chance.Below(999_999)) / 1000m).ToString(CultureInfo.InvariantCulture);
        var model = chance.Below(2) == 0 ? "fast" : "{alias: openai/x, fallbacks: [a, b]}";
        var limits = $"usd: {usd}, steps: {1 + chance.Below(999)}, wall: {1 + chance.Below(599)}s{Maybe($", toolCalls: {chance.Below(999)}, outputTokens: {1 + chance.Below(998)}")}".TrimEnd();
        return $"apiVersion: v1\nkind: Agent\nname: a{chance.Below(1_000_000)}\nversion: \"{chance.Below(9)}.{chance.Below(9)}\"\ndescription: \"d{chance.Below(1_000_000)}\"\nmodel: {model}\ninstructions: {Text()}\nlimits: {{{limits}}}\n"
            + Maybe($"outputSchema: {{type: object, properties: {{a: {{const: {Text()}}}, b: {{minimum: -1.50e2}}}}}}")
            + Maybe($"tools: [search, {{name: x, timeout: {Time()}, retries: {chance.Below(5)}}}, {{name: y*, effect: pure}}]")
            + Maybe($"approvals: [{{tool: z, expires: {1 + chance.Below(98)}h, onExpire: approve}}]")
            + Maybe("cites: true");
    }
}
