using System.Text.Json;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>Holds answers against the API description: each member is named there, and those it requires are there.</summary>
internal sealed class Description(JsonElement text)
{
    public static async Task<Description> OfAsync(GatewayHost host) => new((await host.GetAsync("/openapi/v1.json")).Json);

    public void Fits(string method, string path, Answer answer, int status = 200)
    {
        Assert.True(answer.Status == status, answer.Body);
        var response = text.GetProperty("paths").GetProperty(path).GetProperty(method).GetProperty("responses").GetProperty($"{answer.Status}");
        var fault = Fault(response.GetProperty("content").GetProperty("application/json").GetProperty("schema"), answer.Json, "");
        Assert.True(fault is null, $"{method} {path}: {fault} in {answer.Body}");
        foreach (var header in answer.Headers.Keys.Where(name => name.StartsWith("x-", StringComparison.OrdinalIgnoreCase) || name is "Location" or "Retry-After"))
            Assert.True(response.GetProperty("headers").EnumerateObject().Any(described => described.Name.Equals(header, StringComparison.OrdinalIgnoreCase)), $"{method} {path}: header {header}");
    }

    /// <summary>Null where there is none.</summary>
    private string? Fault(JsonElement schema, JsonElement value, string where)
    {
        while (schema.TryGetProperty("$ref", out var reference)) schema = reference.GetString()!.TrimStart('#', '/').Split('/').Aggregate(text, (found, name) => found.GetProperty(name));
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
