using System.Text.Json;
using Penstock.Agents;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Answers about runs are as the API description has them: each member is named there, and those it requires are there.</summary>
public sealed class RunContractTests : IAsyncLifetime
{
    private GatewayHost _host = null!;
    private JsonElement _description;

    public async ValueTask InitializeAsync()
    {
        _host = await AgentHost.StartAsync();
        _description = (await _host.GetAsync("/openapi/v1.json")).Json;
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Answers_are_as_they_are_described()
    {
        var run = await _host.RunAsync("""{"type":"helper","input":"x","wait":0,"conversation":"c","user":"u"}""");
        Fits("post", "/v1/agents/run", await _host.PostAsync("/v1/agents/run", """{"type":"helper","input":"x","wait":0}"""));
        Fits("get", "/v1/agents/runs/{id}", await _host.GetAsync($"/v1/agents/runs/{run}"));
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.StepAsync("c0");
        await owner.StepAsync("c1", "\"" + new string('x', 3_000) + "\"");
        var op = owner.Next;
        await owner.AppendAsync(
            (JournalKinds.ModelIntent, $$"""{"op":{{op}},"attempt":1,"model":"m"}"""),
            (JournalKinds.ModelResult, $$"""{"op":{{op}},"text":"t","calls":[{"id":"a","name":"t","arguments":"{}"},{"id":"b","name":"t","arguments":"{}"},{"id":"w","name":"wait","arguments":"{}"}],"cost":0}"""),
            (JournalKinds.ToolFailed, """{"call":"b","name":"t","attempt":1,"code":"no","message":"never","retry":false}"""),
            (JournalKinds.TimerSet, """{"call":"w","name":"wait","until":"2999-01-01T00:00:00Z"}"""));
        await owner.ParkAsync("approval", (JournalKinds.ApprovalRequested, """{"call":"a","name":"t","arguments":"{}","expiresAt":"2999-01-01T00:00:00Z"}"""));

        Fits("get", "/v1/agents/runs/{id}", await _host.GetAsync($"/v1/agents/runs/{run}"));
        Fits("post", "/v1/agents/runs/{id}/approvals/{call}", await _host.PostAsync($"/v1/agents/runs/{run}/approvals/a", """{"approved":true}"""));
        Fits("post", "/v1/agents/runs/{id}/signal", await _host.PostAsync($"/v1/agents/runs/{run}/signal", """{"name":"n"}"""));
        Fits("post", "/v1/agents/runs/{id}/cancel", await _host.PostAsync($"/v1/agents/runs/{run}/cancel", ""));
        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync(RunStatus.Failed);
        Fits("get", "/v1/agents/runs/{id}", await _host.GetAsync($"/v1/agents/runs/{run}"));
        Fits("post", "/v1/agents/runs/{id}/fork", await _host.PostAsync($"/v1/agents/runs/{run}/fork", """{"from":1}"""));
        Fits("get", "/v1/agents/runs", await _host.GetAsync("/v1/agents/runs?limit=1"));
        Fits("post", "/v1/agents/memory", await _host.PostAsync("/v1/agents/memory?user=u", """{"text":"t"}"""));
        Fits("get", "/v1/agents/memory", await _host.GetAsync("/v1/agents/memory?user=u"));
        Fits("get", "/v1/agents/threads/{conversation}", await _host.GetAsync("/v1/agents/threads/c"));
        var ending = _host.PostAsync("/v1/agents/run", """{"type":"strict","input":{"topic":"x"},"wait":50}""");
        await GatewayHost.UntilAsync(async () => (await _host.GetAsync("/v1/agents/runs?type=strict")).Json.GetProperty("runs").GetArrayLength() == 1);
        await (await ScriptedOwner.OfAsync(_host, (await _host.GetAsync("/v1/agents/runs?type=strict")).Json.GetProperty("runs")[0].GetProperty("id").GetString()!)).EndAsync();
        Fits("post", "/v1/agents/run", await ending);
    }

    [Fact]
    public void A_member_too_many_or_too_few_is_found()
    {
        var schema = _description.GetProperty("components").GetProperty("schemas").GetProperty("Forgotten");

        Assert.Null(Fault(schema, JsonDocument.Parse("""{"forgotten":1}""").RootElement, ""));
        Assert.NotNull(Fault(schema, JsonDocument.Parse("{}").RootElement, ""));
        Assert.NotNull(Fault(schema, JsonDocument.Parse("""{"forgotten":1,"more":2}""").RootElement, ""));
    }

    private void Fits(string method, string path, Answer answer)
    {
        Assert.True(answer.Status < 300, answer.Body);
        var response = _description.GetProperty("paths").GetProperty(path).GetProperty(method).GetProperty("responses").GetProperty($"{answer.Status}");
        Assert.True(Fault(response.GetProperty("content").GetProperty("application/json").GetProperty("schema"), answer.Json, "") is not { } fault, $"{method} {path}: {Fault(response.GetProperty("content").GetProperty("application/json").GetProperty("schema"), answer.Json, "")} in {answer.Body}");
        foreach (var header in answer.Headers.Keys.Where(name => name.StartsWith("x-", StringComparison.OrdinalIgnoreCase) || name == "Location").Where(name => name is not "x-should-retry"))
            Assert.True(response.GetProperty("headers").EnumerateObject().Any(described => described.Name.Equals(header, StringComparison.OrdinalIgnoreCase)), $"{method} {path}: header {header}");
    }

    private string? Fault(JsonElement schema, JsonElement value, string where)
    {
        while (schema.TryGetProperty("$ref", out var reference)) schema = reference.GetString()!.TrimStart('#', '/').Split('/').Aggregate(_description, (found, name) => found.GetProperty(name));
        if (schema.TryGetProperty("enum", out var choices) && !choices.EnumerateArray().Any(choice => JsonElement.DeepEquals(choice, value))) return $"{where} is {value}";
        if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items)) return value.EnumerateArray().Select((item, index) => Fault(items, item, $"{where}[{index}]")).FirstOrDefault(fault => fault is not null);
        if (value.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out var properties)) return null;
        if (schema.TryGetProperty("required", out var required) && required.EnumerateArray().FirstOrDefault(name => !value.TryGetProperty(name.GetString()!, out _)) is { ValueKind: JsonValueKind.String } missing) return $"{where} lacks {missing}";
        foreach (var member in value.EnumerateObject())
        {
            if (!properties.TryGetProperty(member.Name, out var described)) return $"{where} has {member.Name}";
            if (Fault(described, member.Value, $"{where}.{member.Name}") is { } fault) return fault;
        }

        return null;
    }
}
