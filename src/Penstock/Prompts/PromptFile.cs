using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Penstock.Prompts;

/// <summary>What is wrong with a file, and where; line 1 where it is about the whole file.</summary>
public readonly record struct PromptError(string File, int Line, string Message)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {Message}");
}

/// <param name="Name">What the file names its template, also where it has errors; null where it cannot be told.</param>
/// <param name="Template">Null where there is any error.</param>
public sealed record PromptReading(string? Name, PromptTemplate? Template, IReadOnlyList<PromptError> Errors);

/// <summary>
/// Reads a template's file: front matter between two lines <c>---</c>, the system prompt, and after a line <c>=== user ===</c> the user's part.
/// Every error of the file is found at once.
/// </summary>
public sealed class PromptFile
{
    /// <summary>Largest file in bytes.</summary>
    public const int LargestBytes = 64 * 1024;

    private const string Fence = "---";
    private const string UserPart = "=== user ===";
    private const int LongestLine = 200;
    private const int LongestModel = 256;
    private const int LongestDescription = 1000;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _file;
    private readonly List<PromptError> _errors = [];

    private PromptFile(string file) => _file = file;

    /// <param name="file">As errors name it.</param>
    public static PromptReading Read(string file, ReadOnlyMemory<byte> bytes)
    {
        var reader = new PromptFile(file);
        var template = reader.Decode(bytes.Span) is { } text ? reader.Template(text) : null;
        return new PromptReading(template?.Name, reader._errors.Count == 0 ? template : null, [.. reader._errors.OrderBy(error => error.Line)]);
    }

    private string? Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > LargestBytes)
        {
            Fail(1, $"The file is larger than {LargestBytes / 1024} KiB.");
            return null;
        }

        if (bytes.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        try
        {
            // One text, however an editor ends its lines: the hash must not depend on that.
            var text = Strict.GetString(bytes).Replace("\r\n", "\n", StringComparison.Ordinal).TrimEnd() + '\n';
            var control = text.AsSpan().IndexOfAnyExcept(Readable);
            if (control < 0) return text;
            Fail(LineAt(text, control), string.Create(CultureInfo.InvariantCulture, $"The file holds the control character U+{(int)text[control]:X4}."));
        }
        catch (DecoderFallbackException e)
        {
            Fail(1 + bytes[..Math.Clamp(e.Index, 0, bytes.Length)].Count((byte)'\n'), "The file is not valid UTF-8.");
        }

        return null;
    }

    private static readonly System.Buffers.SearchValues<char> Readable = System.Buffers.SearchValues.Create(
        [.. Enumerable.Range(0, char.MaxValue + 1).Select(code => (char)code).Where(c => c is '\t' or '\n' || !char.IsControl(c))]);

    private PromptTemplate? Template(string text)
    {
        var lines = text.Split('\n');
        var end = lines[0] == Fence ? Array.IndexOf(lines, Fence, 1) : -1;
        if (end < 0)
        {
            Fail(1, $"The file must begin with front matter: a line '{Fence}', 'name: value' lines, and a line '{Fence}'.");
            return null;
        }

        return FrontMatter.Read(string.Join('\n', lines[1..end]), 1, Fail) is { } front ? Template(text, lines, end, new PromptHead(front, Fail)) : null;
    }

    private PromptTemplate Template(string text, string[] lines, int end, PromptHead head)
    {
        var used = new Dictionary<string, int>();
        var user = Array.IndexOf(lines, UserPart, end + 1);
        var system = Body(lines, end + 1, user < 0 ? lines.Length : user, used);
        var asked = user < 0 ? Body(lines, lines.Length, lines.Length, used) : Body(lines, user + 1, lines.Length, used);
        if (system.IsEmpty && asked.IsEmpty) Fail(end + 1, "The file has no prompt after its front matter.");

        var name = head.Text("name", 64, PromptNames.IsName, PromptNames.NameRule);
        var useCase = head.UseCase();
        var variables = head.Variables();
        CheckUse(variables, used, useCase);
        var template = new PromptTemplate
        {
            Id = new PromptVersionId(name, Convert.ToHexStringLower(SHA256.HashData(Strict.GetBytes(text)))),
            Text = text,
            UseCase = useCase?.Name ?? "",
            Owner = head.Text("owner", LongestLine),
            Version = head.Text("version", LongestLine),
            Description = head.Text("description", LongestDescription),
            Model = head.Text("model", LongestModel),
            Variables = [.. variables.Select(variable => variable.Variable)],
            MaxOutputTokens = head.Whole("max-output-tokens", 1, int.MaxValue),
            Schema = head.Schema(useCase),
            System = system,
            User = asked,
        };
        head.NameUnknown();
        return template;
    }

    private PromptBody Body(string[] lines, int from, int to, Dictionary<string, int> used)
    {
        while (from < to && lines[from].Length == 0) from++;
        return PromptBody.Read(string.Join('\n', lines[from..to]).TrimEnd(), from + 1, (line, name) => used.TryAdd(name, line), Fail);
    }

    private void CheckUse(IReadOnlyList<(PromptVariable Variable, int Line)> declared, Dictionary<string, int> used, UseCase? useCase)
    {
        foreach (var (name, line) in used.Where(use => !declared.Any(variable => variable.Variable.Name == use.Key))) Fail(line, $"{{{{{name}}}}} is not among the front matter's variables.");
        foreach (var (variable, line) in declared.Where(variable => !used.ContainsKey(variable.Variable.Name))) Fail(line, $"The variable '{variable.Name}' is used nowhere.");
        if (useCase?.Given is not { } given) return;
        foreach (var name in useCase.Needed.Where(name => !used.ContainsKey(name))) Fail(1, $"A template to {useCase.Name} must say where {{{{{name}}}}} stands.");
        foreach (var (variable, line) in declared.Where(variable => variable.Variable.Default is null && !given.Contains(variable.Variable.Name)))
            Fail(line, $"Nobody gives the variable '{variable.Name}' to a template to {useCase.Name}, so that it needs a default. Given are {string.Join(", ", given)}.");
    }

    private void Fail(int line, string message) => _errors.Add(new PromptError(_file, line, message));

    private static int LineAt(string text, int index) => 1 + text.AsSpan(0, index).Count('\n');
}
