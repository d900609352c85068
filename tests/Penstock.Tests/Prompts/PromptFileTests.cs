using System.Text;
using Penstock.Kernel;
using Penstock.Prompts;
using Xunit;

namespace Penstock.Tests.Prompts;

public sealed class PromptFileTests
{
    private const string Good = """
        ---
        name: greet
        use-case: chat
        owner: team-a
        version: "1.10"
        description: Greets.
        model: fast
        max-output-tokens: 50
        variables:
          - name: who
            required: true
            max-length: 10
          - name: tone
            default: warm
        ---

        Greet {{who}} in a {{ tone }} way. Write \{{who}} nowhere.

        === user ===

        I am {{who}}.

        """;

    [Fact]
    public void A_file_is_read_whole()
    {
        var template = Read(Good);

        Assert.Equal(("greet", "chat", "team-a", "1.10", "Greets.", "fast", 50), (template.Name, template.UseCase, template.Owner, template.Version, template.Description, template.Model, template.MaxOutputTokens!.Value));
        Assert.Equal([new PromptVariable("who", null, 10, null), new PromptVariable("tone", "warm", 10_000, null)], template.Variables);
        Assert.Equal(new RenderedPrompt("Greet Ann in a warm way. Write {{who}} nowhere.", "I am Ann."), template.Render(Values(("who", "Ann"))));
    }

    [Fact]
    public void A_value_is_data_and_never_a_template()
    {
        var values = Values(("who", "{{tone}}"), ("tone", @"\{{who}} {{who}}"));

        Assert.Equal(new RenderedPrompt(@"Greet {{tone}} in a \{{who}} {{who}} way. Write {{who}} nowhere.", "I am {{tone}}."), Read(Good).Render(values));
    }

    [Theory]
    [InlineData("variables.who", "is required")]
    [InlineData("variables.whom", "is no variable", "whom", "x", "who", "x")]
    [InlineData("variables.who", "longer than the 10", "who", "12345678901")]
    public void A_value_that_is_missing_unknown_or_too_long_is_refused_by_name(string field, string says, params string[] pairs)
    {
        var values = pairs.Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);

        var refusal = Assert.Throws<RefusedException>(() => Read(Good).Render(values)).Refusal;

        Assert.Equal((400, field), (refusal.Status, refusal.Field));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_is_measured_in_characters_and_not_in_bytes() => Assert.Equal("I am 🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀.", Read(Good).Render(Values(("who", "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀"))).User);

    [Fact]
    public void The_same_text_is_the_same_version_however_its_lines_end_and_another_text_is_another()
    {
        Assert.Equal(Read(Good).Id, Read(Good.ReplaceLineEndings("\r\n") + "\r\n\r\n").Id);
        Assert.Equal(Read(Good).Id, Read("\uFEFF" + Good).Id);
        Assert.NotEqual(Read(Good).Id, Read(Good.Replace("Greets.", "Greets!", StringComparison.Ordinal)).Id);
        Assert.NotEqual(Read(Good).Id, Read(Good.Replace("in a", "in  a", StringComparison.Ordinal)).Id);
        Assert.Matches("^greet@[0-9a-f]{8}$", Read(Good).Id.ToString());
    }

    [Theory]
    [InlineData("owner: team-a\n", "", "2: 'owner' is missing")]
    [InlineData("owner: team-a", "owner: ''", "4: 'owner' must not be empty")]
    [InlineData("owner: team-a", "owner: [a]", "4: 'owner' must be text")]
    [InlineData("owner: team-a", "owner: team-a\nowners: x", "5: 'owners' is no field")]
    [InlineData("owner: team-a", "owner: team-a\nowner: x", "5: 'owner' is given twice")]
    [InlineData("owner: team-a", "owner: &a team-a", "4: Anchors and tags")]
    [InlineData("owner: team-a", "owner: \"team", "4: The front matter is not valid YAML")]
    [InlineData("name: greet", "name: Greet", "2: 'name' must be 1 to 64 small letters")]
    [InlineData("name: greet", "name: greet:production", "2: 'name' must be")]
    [InlineData("use-case: chat", "use-case: talk", "3: 'use-case' must be one of summarise, extract, classify, suggest, chat; it is 'talk'")]
    [InlineData("max-output-tokens: 50", "max-output-tokens: 0", "8: 'max-output-tokens' must be a whole number")]
    [InlineData("max-output-tokens: 50", "max-output-tokens: 1e3", "8: 'max-output-tokens' must be a whole number")]
    [InlineData("max-output-tokens: 50", "schema: \"[]\"", "8: 'schema' is no JSON Schema")]
    [InlineData("max-output-tokens: 50", "schema: '{\"type\": \"string\"}'", "8: 'schema' must be a JSON Schema whose 'type' is \"object\"")]
    [InlineData("- name: tone", "- name: who", "13: The variable 'who' is declared twice")]
    [InlineData("- name: tone", "- name: Tone", "13: 'name' must be 1 to 64 small letters, digits or '_'")]
    [InlineData("    default: warm", "    default: warm\n    kind: x", "15: 'kind' is no field")]
    [InlineData("    default: warm", "    required: false", "13: The variable 'tone' is not required, so it needs a default")]
    [InlineData("    default: warm", "    default: warm\n    required: true", "13: The variable 'tone' is required and has a default")]
    [InlineData("    default: warm", "    default: warm\n    required: yes", "15: 'required' must be true or false")]
    [InlineData("    default: warm", "    default: warm\n    max-length: 3", "14: 'default' must have at most 3 characters")]
    [InlineData("{{ tone }}", "warm", "13: The variable 'tone' is used nowhere")]
    [InlineData("I am {{who}}.", "I am {{whom}}.", "21: {{whom}} is not among")]
    [InlineData("I am {{who}}.", "{{#if who}}", "21: '{{' begins no placeholder")]
    [InlineData("I am {{who}}.", "{{who", "21: '{{' begins no placeholder")]
    [InlineData("I am {{who}}.", "a \u0007", "21: The file holds the control character U+0007")]
    public void An_error_is_told_with_its_file_and_line(string from, string to, string error)
    {
        Assert.Contains(from, Good, StringComparison.Ordinal);

        var reading = PromptFile.Read("prompts/greet.md", Encoding.UTF8.GetBytes(Good.Replace(from, to, StringComparison.Ordinal)));

        Assert.Null(reading.Template);
        Assert.Contains(reading.Errors, found => found.ToString().StartsWith("prompts/greet.md:" + error, StringComparison.Ordinal));
    }

    [Fact]
    public void All_errors_of_a_file_are_told_at_once_in_order()
    {
        var text = Good.Replace("name: greet", "name: G!", StringComparison.Ordinal).Replace("model: fast\n", "", StringComparison.Ordinal).Replace("owner: team-a", "owner: team-a\nauthor: me", StringComparison.Ordinal)
            .Replace("I am {{who}}", "{{it}} is {{who}}", StringComparison.Ordinal).Replace("{{ tone }}", "warm", StringComparison.Ordinal);

        var errors = PromptFile.Read("a.md", Encoding.UTF8.GetBytes(text)).Errors;

        Assert.Equal(["2 'model'", "2 'name'", "5 'author'", "13 The", "21 {{it}}"], errors.Select(error => $"{error.Line} {error.Message.Split(' ')[0]}").Order(StringComparer.Ordinal).OrderBy(error => int.Parse(error.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void A_file_that_is_too_large_not_text_or_no_template_is_refused()
    {
        Assert.Contains("larger than 64 KiB", Error(Encoding.UTF8.GetBytes(Good + new string('x', PromptFile.LargestBytes))), StringComparison.Ordinal);
        Assert.StartsWith("a.md:2: The file is not valid UTF-8", Error([.. "---\n"u8, 0xff]), StringComparison.Ordinal);
        Assert.StartsWith("a.md:1: The file must begin with front matter", Error("hello"u8.ToArray()), StringComparison.Ordinal);
        Assert.StartsWith("a.md:1: The file must begin with front matter", Error([]), StringComparison.Ordinal);
        Assert.StartsWith("a.md:1: The front matter is empty", Error("---\n---\nx"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("has no prompt after its front matter", Errors(Good[..(Good.LastIndexOf("---", StringComparison.Ordinal) + 3)]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("classify", "must say where {{labels}} stands")]
    [InlineData("summarise", "must say where {{text}} stands")]
    [InlineData("summarise", "Nobody gives the variable 'who'")]
    public void A_template_for_a_route_takes_what_the_route_gives(string useCase, string says) =>
        Assert.Contains(says, Errors(Good.Replace("use-case: chat", $"use-case: {useCase}", StringComparison.Ordinal)), StringComparison.Ordinal);

    [Fact]
    public void The_shipped_templates_are_rendered_as_their_golden_files()
    {
        var shipped = new ShippedPrompts();
        Assert.Equal(["chat", "classify", "extract", "suggest", "summarise"], shipped.All.Select(template => template.Name).Order(StringComparer.Ordinal));
        foreach (var template in shipped.All)
        {
            var values = template.Variables.Where(variable => variable.Default is null).ToDictionary(variable => variable.Name, variable => $"[{variable.Name}: {{{{text}}}}]");
            var prompt = template.Render(values);
            Gateway.Wire.OpenAi.Golden.Match($"Prompts/Goldens/{template.Name}.txt", $"{template.Name} for {template.UseCase}, model {template.Model}\n--- system\n{prompt.System}\n--- user\n{prompt.User}\n");
        }
    }

    [Fact]
    public void Two_files_of_one_name_are_told_and_so_are_the_errors_of_all_others()
    {
        var folder = Directory.CreateTempSubdirectory("penstock-prompts-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "a.md"), Good);
            Directory.CreateDirectory(Path.Combine(folder.FullName, "more"));
            File.WriteAllText(Path.Combine(folder.FullName, "more", "b.md"), Good);
            File.WriteAllText(Path.Combine(folder.FullName, "c.md"), "nothing");
            File.WriteAllText(Path.Combine(folder.FullName, "readme.txt"), "not read");

            var (templates, errors) = PromptFolder.Read(folder.FullName);

            Assert.Single(templates);
            Assert.Equal(2, errors.Count);
            Assert.Contains(errors, error => error.File.EndsWith("b.md", StringComparison.Ordinal) && error.Message.Contains("'greet' is the name of the template in", StringComparison.Ordinal));
            Assert.Contains(errors, error => error.File.EndsWith("c.md", StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("a", "a:production")]
    [InlineData("a:staging", "a:staging")]
    [InlineData("a@0123abcd", "a@0123abcd")]
    [InlineData("a@0123abc", null)]
    [InlineData("a@0123ABCD", null)]
    [InlineData("a:", null)]
    [InlineData("a:1", null)]
    [InlineData(":b", null)]
    [InlineData("A", null)]
    [InlineData("", null)]
    [InlineData("a:b@0123abcd", null)]
    public void A_reference_is_a_name_with_a_label_or_a_hash(string text, string? read) => Assert.Equal(read, PromptReference.TryParse(text, out var reference) ? reference.ToString() : null);

    private static PromptTemplate Read(string text)
    {
        var reading = PromptFile.Read("a.md", Encoding.UTF8.GetBytes(text));
        Assert.Empty(reading.Errors);
        return reading.Template!;
    }

    private static string Error(byte[] bytes) => Assert.Single(PromptFile.Read("a.md", bytes).Errors).ToString();

    private static string Errors(string text) => string.Join('\n', PromptFile.Read("a.md", Encoding.UTF8.GetBytes(text)).Errors);

    private static Dictionary<string, string> Values(params (string Name, string Value)[] values) => values.ToDictionary(value => value.Name, value => value.Value);
}
