using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Kernel;

public sealed class JsonSchemaTests
{
    [Theory]
    [InlineData("""{"type": "string"}""", "5", "", "must be a string, not a number")]
    [InlineData("""{"type": ["string", "null"]}""", "5", "", "must be a string or null, not a number")]
    [InlineData("""{"type": "integer"}""", "1.5", "", "must be an integer, not a number")]
    [InlineData("""{"properties": {"a": {"properties": {"b/c~": {"type": "number"}}}}}""", """{"a": {"b/c~": "x"}}""", "/a/b~1c~0", "must be a number, not a string")]
    [InlineData("""{"required": ["a"]}""", "{}", "/a", "is required")]
    [InlineData("""{"properties": {"a": true}, "additionalProperties": false}""", """{"b": 1}""", "/b", "is not known here; known are a")]
    [InlineData("""{"additionalProperties": {"type": "number"}}""", """{"b": "1"}""", "/b", "must be a number, not a string")]
    [InlineData("""{"patternProperties": {"^x": {"type": "number"}}, "additionalProperties": false}""", """{"x1": 1, "y": 1}""", "/y", "is not known here")]
    [InlineData("""{"propertyNames": {"maxLength": 2}}""", """{"abc": 1}""", "/abc", "is a name that has 3 characters and must have at most 2")]
    [InlineData("""{"minProperties": 1}""", "{}", "", "has 0 members and must have at least 1")]
    [InlineData("""{"dependentRequired": {"a": ["b"]}}""", """{"a": 1}""", "/b", "is required where 'a' is given")]
    [InlineData("""{"items": {"type": "string"}}""", """["a", 1]""", "/1", "must be a string, not a number")]
    [InlineData("""{"prefixItems": [{"type": "string"}], "items": false}""", """["a", 1]""", "/1", "is not allowed here")]
    [InlineData("""{"uniqueItems": true}""", """[{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]""", "/1", "repeats an item before it")]
    [InlineData("""{"contains": {"type": "number"}}""", """["a"]""", "", "holds 0 items that 'contains' asks for, which is too few")]
    [InlineData("""{"maxLength": 2}""", "\"🦀🦀🦀\"", "", "has 3 characters and must have at most 2")]
    [InlineData("""{"pattern": "^a+$"}""", "\"ab\"", "", "must match the pattern \"^a+$\"")]
    [InlineData("""{"format": "date"}""", "\"2026-13-01\"", "", "must be in the format date")]
    [InlineData("""{"format": "ipv4"}""", "\"1.2.3\"", "", "must be in the format ipv4")]
    [InlineData("""{"minimum": 5}""", "4.99", "", "must be at least 5")]
    [InlineData("""{"exclusiveMaximum": 5}""", "5", "", "must be less than 5")]
    [InlineData("""{"maximum": 9007199254740993}""", "9007199254740994", "", "must be at most 9007199254740993")]
    [InlineData("""{"multipleOf": 0.1}""", "0.35", "", "must be a multiple of 0.1")]
    [InlineData("""{"enum": [1, "a"]}""", "2", "", "must be one of [1, \"a\"]")]
    [InlineData("""{"const": {"a": 1}}""", "2", "", "must be {\"a\": 1}")]
    [InlineData("""{"anyOf": [{"type": "string"}, {"properties": {"a": {"type": "number"}}, "type": "object"}]}""", """{"a": "x"}""", "/a", "must be a number, not a string")]
    [InlineData("""{"oneOf": [{"minimum": 1}, {"minimum": 2}]}""", "3", "", "fits 2 alternatives of oneOf and must fit exactly one")]
    [InlineData("""{"allOf": [{"minimum": 1}, {"maximum": 2}]}""", "3", "", "must be at most 2")]
    [InlineData("""{"not": {"type": "null"}}""", "null", "", "is what 'not' forbids")]
    [InlineData("""{"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}""", """{"a": 1}""", "/b", "is required")]
    [InlineData("""{"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}""", "{}", "/c", "is required")]
    [InlineData("""{"$defs": {"n": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}""", """{"a": "x"}""", "/a", "must be a number, not a string")]
    [InlineData("""{"properties": {"a": {"$ref": "#"}}, "additionalProperties": false}""", """{"a": {"a": {"b": 1}}}""", "/a/a/b", "is not known here; known are a")]
    [InlineData("""{"type": "string", "maxLength": 5}""", "\"\\ud83d\"", "", "holds half of a surrogate pair, which is no text")]
    [InlineData("false", "1", "", "is not allowed here")]
    public void The_first_fault_is_named_by_its_pointer(string schema, string value, string pointer, string message)
    {
        Assert.Equal(new SchemaProblem(pointer, message), Declare(schema).Check(Json(value)));
    }

    [Theory]
    [InlineData("true", "5")]
    [InlineData("""{"type": "integer"}""", "1.0")]
    [InlineData("""{"type": "integer"}""", "1e20")]
    [InlineData("""{"multipleOf": 0.1}""", "0.3")]
    [InlineData("""{"minimum": 5}""", "\"text is no number\"")]
    [InlineData("""{"format": "something-else"}""", "\"x\"")]
    [InlineData("""{"oneOf": [{"type": "string"}, {"type": "number"}]}""", "3")]
    [InlineData("""{"properties": {"child": {"$ref": "#"}}, "required": ["name"], "x-note": 1}""", """{"name": 1, "child": {"name": 2}}""")]
    [InlineData("""{"enum": [{"a": [1.0]}]}""", """{"a": [1]}""")]
    public void What_fits_has_no_fault(string schema, string value) => Assert.Null(Declare(schema).Check(Json(value)));

    [Theory]
    [InlineData("""{"unevaluatedProperties": false}""", "'s.unevaluatedProperties'")]
    [InlineData("""{"properties": {"a": {"nullable": true}}}""", "'s.properties.a.nullable'")]
    [InlineData("""{"items": [{"type": "string"}]}""", "'s.items'")]
    [InlineData("""{"type": "text"}""", "'s.type'")]
    [InlineData("""{"minLength": "5"}""", "'s.minLength'")]
    [InlineData("""{"exclusiveMinimum": true}""", "'s.exclusiveMinimum'")]
    [InlineData("""{"$ref": "https://example.com/schema"}""", "'s.$ref'")]
    [InlineData("""{"$ref": "#/$defs/none"}""", "'s.$ref'")]
    [InlineData("""{"x-hidden": {"nullable": true}, "$ref": "#/x-hidden"}""", "nullable")]
    [InlineData("""{"pattern": "(a+)+\\1"}""", "'s.pattern'")]
    [InlineData("""{"pattern": "("}""", "'s.pattern'")]
    [InlineData("""{"$schema": "http://json-schema.org/draft-04/schema#"}""", "'s.$schema'")]
    [InlineData("""{"anyOf": []}""", "'s.anyOf'")]
    [InlineData("5", "'s'")]
    public void What_would_not_be_obeyed_is_refused_when_it_is_declared(string schema, string named)
    {
        var refusal = Assert.Throws<RefusedException>(() => Declare(schema)).Refusal;
        Assert.Equal(RefusalKind.Invalid, refusal.Kind);
        Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_huge_schema_is_refused()
    {
        var wide = new StringBuilder("{\"properties\": {");
        for (var i = 0; i < 5_001; i++) wide.Append(CultureInfo.InvariantCulture, $"{(i > 0 ? "," : "")}\"p{i}\": {{}}");
        Assert.Contains("5000 schemas", Assert.Throws<RefusedException>(() => Declare(wide + "}}")).Message, StringComparison.Ordinal);

        Assert.Contains("262144 characters", Assert.Throws<RefusedException>(() => Declare($"{{\"description\": \"{new string('x', 300_000)}\"}}")).Message, StringComparison.Ordinal);
        var deep = string.Concat(Enumerable.Repeat("{\"not\": ", 60)) + "{}" + new string('}', 60);
        Assert.Contains("48 schemas deep", Assert.Throws<RefusedException>(() => Declare(deep)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_check_does_a_bounded_amount_of_work()
    {
        // Every level asks twice for the next: 2^40 looks without a bound.
        var defs = string.Join(',', Enumerable.Range(0, 40).Select(i => $$"""
            "d{{i}}": {"anyOf": [{"$ref": "#/$defs/d{{i + 1}}"}, {"$ref": "#/$defs/d{{i + 1}}"}]}
            """));
        var schema = Declare($$"""{"$defs": { {{defs}}, "d40": {"type": "string"} }, "$ref": "#/$defs/d0"}""");

        Assert.NotNull(schema.Check(Json("5")));
        Assert.Equal("takes too much work to check", Declare("""{"$ref": "#"}""").Check(Json("5"))!.Value.Message);
    }

    [Fact]
    public void A_pattern_takes_linear_time()
    {
        var schema = Declare("""{"pattern": "^(a+)+$"}""");
        Assert.NotNull(schema.Check(Json($"\"{new string('a', 100_000)}!\"")));
    }

    private static JsonSchema Declare(string schema)
    {
        using var document = JsonDocument.Parse(schema);
        return JsonSchema.Declare(new JsonView(document.RootElement, "s"));
    }

    private static JsonElement Json(string value) => JsonDocument.Parse(value).RootElement;
}
