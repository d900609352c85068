using System.Text.Json;

namespace Penstock.EndToEnd.Running;

/// <summary>The server's own description, <c>/openapi/v1.json</c>: an answer it does not describe fails the test that saw it.</summary>
internal sealed class ApiContract
{
    private const string UnknownPath = "no such path";

    private readonly JsonElement _root;
    private readonly List<Operation> _operations = [];

    private ApiContract(JsonElement root)
    {
        _root = root;
        foreach (var path in root.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject().Where(member => member.Name is "get" or "post" or "put" or "delete"))
                _operations.Add(new Operation(operation.Name.ToUpperInvariant(), path.Name, ScopesOf(operation.Value), AnswersOf(operation.Value)));
        }
    }

    /// <param name="Scope">Null where no key is needed, empty where any key will do.</param>
    /// <param name="Answers">Content types by status; none for an answer without a body.</param>
    public sealed record Operation(string Method, string Path, string? Scope, IReadOnlyDictionary<int, IReadOnlyList<string>> Answers)
    {
        public override string ToString() => $"{Method} {Path}";
    }

    public IReadOnlyList<Operation> Operations => _operations;

    public static async Task<ApiContract> OfAsync(Uri address)
    {
        using var http = new HttpClient();
        return new ApiContract(JsonElement.Parse(await http.GetByteArrayAsync(new Uri(address, "/openapi/v1.json"), Wait.Token)));
    }

    public void Check(string method, string path, HttpResponseMessage answer)
    {
        // What is no HTTP reaches no route: Kestrel answers it with an empty 400.
        if ((int)answer.StatusCode == 400 && answer.Content.Headers.ContentLength == 0 && !answer.Headers.Contains("x-request-id")) return;
        Assert.True(answer.Headers.Contains("x-request-id"), $"{method} {path}: no x-request-id");
        if (Fault(method, path, (int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType) is { } fault) Assert.Fail(fault);
    }

    public string? Fault(string method, string path, int status, string? type)
    {
        var matching = _operations.Where(operation => Matches(operation.Path, path)).ToArray();
        var found = matching.FirstOrDefault(operation => operation.Method == method);
        if (found is null)
        {
            var expected = matching.Length == 0 ? 404 : 405;
            return status == expected || (status == 503 && type == "application/problem+json") ? null : $"{method} {path}: {UnknownPath}, yet the answer is {status}";
        }

        if (!found.Answers.TryGetValue(status, out var types)) return $"{found} answered {status}, which /openapi/v1.json does not name";
        var fits = types.Count == 0 ? type is null : types.Contains(type);
        return fits ? null : $"{found} answered {status} as '{type}'; /openapi/v1.json says {string.Join(" or ", types)}";
    }

    private static string? ScopesOf(JsonElement operation) =>
        operation.TryGetProperty("security", out var security) && security.GetArrayLength() == 0
            ? null
            : string.Join(' ', security[0].GetProperty("bearer").EnumerateArray().Select(scope => scope.GetString()));

    private Dictionary<int, IReadOnlyList<string>> AnswersOf(JsonElement operation) => operation.GetProperty("responses").EnumerateObject().ToDictionary(
        answer => int.Parse(answer.Name, System.Globalization.CultureInfo.InvariantCulture),
        answer => (IReadOnlyList<string>)(Resolve(answer.Value).TryGetProperty("content", out var content) ? [.. content.EnumerateObject().Select(type => type.Name)] : []));

    private JsonElement Resolve(JsonElement value)
    {
        if (!value.TryGetProperty("$ref", out var reference)) return value;
        return reference.GetString()!.TrimStart('#', '/').Split('/').Aggregate(_root, (found, name) => found.GetProperty(name));
    }

    /// <summary>A model's name may hold slashes; no other parameter may.</summary>
    private static bool Matches(string template, string path)
    {
        path = path.TrimEnd('/');
        if (template == path) return true;
        if (template.EndsWith("/{model}", StringComparison.Ordinal)) return path.StartsWith(template[..^"{model}".Length], StringComparison.Ordinal);
        var (wanted, given) = (template.Split('/'), path.Split('/'));
        return template.Contains('{') && wanted.Length == given.Length && wanted.Zip(given).All(pair => pair.First == pair.Second || (pair.First.StartsWith('{') && pair.Second.Length > 0));
    }
}
