using System.Text.Json;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Penstock.Architecture;

/// <summary>What must hold of the hand-written API description without a server: it is whole, and it names the routes that the code maps.</summary>
internal static class OpenApiDocument
{
    private static readonly string[] Methods = ["get", "put", "post", "delete", "patch"];

    /// <summary><c>GET /v1/usage</c> for each operation.</summary>
    public static IEnumerable<string> Operations(JsonElement document) =>
        from path in document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        where Methods.Contains(operation.Name)
        select $"{operation.Name.ToUpperInvariant()} {path.Name}";

    /// <summary>
    /// Routes that source maps with a literal pattern, as <c>GET /v1/usage</c>, or <c>* /v1/usage</c> where a method of our own
    /// called <c>Map…</c> is given the pattern. A catch-all is written like any other parameter.
    /// </summary>
    public static IEnumerable<string> Mapped(IEnumerable<SourceFile> files) =>
        from file in files
        from call in CSharpSyntaxTree.ParseText(file.Text, CSharpSource.Options).GetRoot().DescendantNodes().OfType<InvocationExpressionSyntax>()
        let name = ((call.Expression as MemberAccessExpressionSyntax)?.Name ?? call.Expression as SimpleNameSyntax)?.Identifier.Text
        where name?.StartsWith("Map", StringComparison.Ordinal) == true
        let method = Methods.Contains(name[3..].ToLowerInvariant()) ? name[3..].ToUpperInvariant() : "*"
        let pattern = call.ArgumentList.Arguments.Select(argument => (argument.Expression as LiteralExpressionSyntax)?.Token.ValueText).FirstOrDefault(text => text?.StartsWith('/') == true)
        where pattern is not null
        select $"{method} {pattern.Replace("{**", "{", StringComparison.Ordinal).Replace("{*", "{", StringComparison.Ordinal)}";

    /// <summary>Whether a mapped route and an operation are the same.</summary>
    public static bool Same(string mapped, string operation) =>
        mapped == operation || (mapped.StartsWith("* ", StringComparison.Ordinal) && operation.EndsWith(mapped[1..], StringComparison.Ordinal));

    public static IEnumerable<Breach> Faults(JsonElement document)
    {
        foreach (var reference in References(document).Distinct().Where(reference => !Resolves(document, reference))) yield return new Breach(reference, "leads nowhere");
        foreach (var (where, schema) in Objects(document, "#"))
        {
            if (!schema.TryGetProperty("required", out var required) || required.ValueKind != JsonValueKind.Array || !schema.TryGetProperty("properties", out var properties)) continue;
            foreach (var name in required.EnumerateArray().Select(name => name.GetString()!).Where(name => !properties.TryGetProperty(name, out _)))
                yield return new Breach(where, $"requires '{name}', which is no property");
        }

        var ids = new HashSet<string>();
        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject().Where(member => Methods.Contains(member.Name)))
            {
                foreach (var fault in FaultsOf($"{operation.Name} {path.Name}", operation.Value, ids)) yield return fault;
            }
        }

        var components = document.GetProperty("components");
        var used = References(document).ToHashSet();
        foreach (var kind in new[] { "headers", "parameters", "responses" })
        {
            foreach (var unused in components.GetProperty(kind).EnumerateObject().Select(one => $"#/components/{kind}/{one.Name}").Where(one => !used.Contains(one))) yield return new Breach(unused, "is used nowhere");
        }
    }

    private static IEnumerable<Breach> FaultsOf(string where, JsonElement operation, HashSet<string> ids)
    {
        if (!operation.TryGetProperty("summary", out var summary) || summary.GetString() is not { Length: > 0 }) yield return new Breach(where, "has no summary");
        if (!operation.TryGetProperty("operationId", out var id) || !ids.Add(id.GetString()!)) yield return new Breach(where, "has no operationId of its own");
        if (!operation.TryGetProperty("security", out var security)) yield return new Breach(where, "does not say which key it needs");

        var statuses = operation.GetProperty("responses").EnumerateObject().Select(response => response.Name).ToList();
        if (!statuses.Exists(status => status.StartsWith('2'))) yield return new Breach(where, "has no success");
        if (!statuses.Contains("500")) yield return new Breach(where, "does not say what a failure looks like");
        if (security.ValueKind == JsonValueKind.Array && security.GetArrayLength() > 0 && !statuses.Contains("401")) yield return new Breach(where, "needs a key but has no 401");
        if (operation.TryGetProperty("requestBody", out _) && !statuses.Contains("413")) yield return new Breach(where, "has a body but no 413");
    }

    private static IEnumerable<string> References(JsonElement element) =>
        Objects(element, "#").Select(found => found.Value.TryGetProperty("$ref", out var reference) && reference.ValueKind == JsonValueKind.String ? reference.GetString() : null).OfType<string>();

    private static bool Resolves(JsonElement document, string reference)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal)) return false;
        var at = document;
        return reference[2..].Split('/').All(step => at.ValueKind == JsonValueKind.Object && at.TryGetProperty(step, out at));
    }

    private static IEnumerable<(string Where, JsonElement Value)> Objects(JsonElement element, string where)
    {
        if (element.ValueKind == JsonValueKind.Object) yield return (where, element);
        var children = element.ValueKind switch
        {
            JsonValueKind.Object => element.EnumerateObject().Select(member => (member.Name, member.Value)),
            JsonValueKind.Array => element.EnumerateArray().Select((item, index) => (Name: $"{index}", Value: item)),
            _ => [],
        };
        foreach (var (name, child) in children)
        {
            foreach (var found in Objects(child, $"{where}/{name}")) yield return found;
        }
    }
}
