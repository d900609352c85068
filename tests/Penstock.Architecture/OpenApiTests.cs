using System.Text.Json;
using Xunit;

namespace Penstock.Architecture;

public sealed class OpenApiTests
{
    private static JsonElement Document { get; } = Parse(Repository.Read("src/Penstock/Http/openapi.v1.json"));

    private static IReadOnlyList<string> Mapped { get; } = [.. OpenApiDocument.Mapped(Repository.Files("src", ".cs"))];

    private static IReadOnlyList<string> Described { get; } = [.. OpenApiDocument.Operations(Document)];

    [Fact]
    public void The_description_is_OpenAPI_3_1_and_whole()
    {
        Assert.StartsWith("3.1.", Document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Breach.None(OpenApiDocument.Faults(Document));
    }

    [Fact]
    public void Every_route_of_the_code_is_described()
    {
        Assert.NotEmpty(Mapped);
        Breach.None(Mapped.Where(route => !Described.Any(operation => OpenApiDocument.Same(route, operation))).Select(route => new Breach(route, "is mapped but not in openapi.v1.json")));
    }

    [Fact]
    public void Every_described_route_is_in_the_code() =>
        Breach.None(Described.Where(operation => !Mapped.Any(route => OpenApiDocument.Same(route, operation))).Select(route => new Breach(route, "is in openapi.v1.json but no code maps it by a literal pattern")));

    [Theory]
    [InlineData("""{ "$ref": "#/components/schemas/Gone" }""", "leads nowhere")]
    [InlineData("""{ "type": "object", "required": ["a"], "properties": { "b": {} } }""", "requires 'a'")]
    public void A_broken_schema_is_found(string schema, string fault) =>
        Assert.Contains(OpenApiDocument.Faults(Parse(Made(schema))), breach => breach.What.StartsWith(fault, StringComparison.Ordinal));

    [Fact]
    public void A_bare_operation_and_an_unused_part_are_found()
    {
        var faults = OpenApiDocument.Faults(Parse(Made("{}"))).Select(breach => breach.What).ToList();

        Assert.Equal(["has no summary", "has no operationId of its own", "does not say which key it needs", "does not say what a failure looks like", "has a body but no 413", "is used nowhere"], faults);
    }

    [Fact]
    public void A_mapped_route_is_read_from_source()
    {
        var routes = OpenApiDocument.Mapped([new SourceFile("A.cs", """class A { void B() { routes.MapGet("/v1/models/{**model}", C); routes.MapPost("/ai", C); other.MapGet(name, C); MapChat(routes, "/v1/messages"); } }""")]);

        Assert.Equal(["GET /v1/models/{model}", "POST /ai", "* /v1/messages"], routes);
        Assert.True(OpenApiDocument.Same("* /v1/messages", "POST /v1/messages"));
        Assert.False(OpenApiDocument.Same("* /v1/messages", "POST /v1/messages/count_tokens"));
        Assert.False(OpenApiDocument.Same("GET /v1/messages", "POST /v1/messages"));
    }

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;

    private static string Made(string schema) => $$"""
        {
          "openapi": "3.1.0",
          "paths": { "/a": { "post": { "requestBody": {}, "responses": { "200": {} } } } },
          "components": { "schemas": { "One": {{schema}} }, "headers": {}, "parameters": {}, "responses": { "Spare": {} } }
        }
        """;
}
