using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Kernel;

namespace Penstock.Agents.Definitions;

/// <summary>What is wrong with a file, and where; line 0 where that is not known.</summary>
internal readonly record struct AgentError(string File, int Line, string Message)
{
    public override string ToString() => Line == 0 ? $"{File}: {Message}" : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {Message}");
}

/// <param name="Name">What the file names its agent, also where it has errors; null where it cannot be told.</param>
/// <param name="Definition">Null where there is any error.</param>
internal sealed record AgentReading(string File, string? Name, AgentDefinition? Definition, IReadOnlyList<AgentError> Errors);

/// <summary>Reads the file of a definition, YAML or JSON by its name. Every error of the file is found at once.</summary>
internal sealed class AgentFile
{
    /// <summary>Largest file in bytes, of a definition and of a prompt.</summary>
    public const int LargestBytes = 256 * 1024;

    /// <summary>Largest <see cref="AgentDefinition.Text"/> in UTF-8 bytes: an entry of the journal holds it beside the input.</summary>
    public const int LargestText = 128 * 1024;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _file;
    private readonly Func<string, ReadOnlyMemory<byte>?> _prompts;
    private readonly List<AgentError> _errors = [];
    private IReadOnlyDictionary<string, int> _lines = new Dictionary<string, int>();

    private AgentFile(string file, Func<string, ReadOnlyMemory<byte>?> prompts) => (_file, _prompts) = (file, prompts);

    public static bool IsDefinition(string file) => Path.GetExtension(file) is ".yaml" or ".yml" or ".json";

    /// <param name="file">As errors name it.</param>
    /// <param name="prompts">Bytes of a file by its path from the definition's folder, with <c>/</c> between its parts; null where there is none.</param>
    public static AgentReading Read(string file, ReadOnlyMemory<byte> bytes, Func<string, ReadOnlyMemory<byte>?> prompts)
    {
        var reader = new AgentFile(file, prompts);
        var (name, definition) = reader.Root(bytes) is { } root ? reader.Read(root) : (null, null);
        return new AgentReading(file, name, reader._errors.Count == 0 ? definition : null, [.. reader._errors.OrderBy(error => error.Line)]);
    }

    /// <summary>A definition that is pinned. Throws 400 with every error.</summary>
    public static AgentDefinition Pinned(string text)
    {
        var errors = new List<string>();
        var reader = new AgentReader(JsonView.Parse(Encoding.UTF8.GetBytes(text)), (_, message) => errors.Add(message), view => throw view.Bad("is no member of a definition that is pinned"), pinned: true);
        var definition = reader.Read();
        return errors.Count == 0 ? AgentWriter.WithText(definition, text) : throw new RefusedException(Refusal.Invalid("definition", string.Join(' ', errors)));
    }

    private (string? Name, AgentDefinition? Definition) Read(JsonView root)
    {
        var reader = new AgentReader(root, Fail, Prompt, pinned: false);
        var definition = reader.Read();
        if (_errors.Count > 0) return (reader.Name, null);
        var whole = AgentWriter.Sealed(definition);
        if (Encoding.UTF8.GetByteCount(whole.Text) > LargestText) Fail("", $"The definition has more than {LargestText / 1024} KiB with its prompt and defaults written out.");
        // As every run that pins it reads it.
        return (reader.Name, _errors.Count == 0 ? Pinned(whole.Text) : null);
    }

    private JsonView? Root(ReadOnlyMemory<byte> bytes)
    {
        if (Text(bytes, message => Fail("", message)) is not { } text) return null;
        try
        {
            if (Path.GetExtension(_file) == ".json") return JsonView.Parse(Encoding.UTF8.GetBytes(text));
            if (YamlText.Read(text, (line, message) => _errors.Add(new AgentError(_file, line, message))) is not { } yaml) return null;
            _lines = yaml.Lines;
            return JsonView.Parse(JsonOf(yaml.Root));
        }
        catch (RefusedException e)
        {
            Fail("", e.Refusal.Message.Replace("The body", "The file", StringComparison.Ordinal));
            return null;
        }
    }

    private static ReadOnlyMemory<byte> JsonOf(JsonObject root)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output)) root.WriteTo(json);
        return output.WrittenMemory;
    }

    private string Prompt(JsonView view)
    {
        var file = view.Required("file");
        var path = file.ShortText(500);
        if (Path.IsPathRooted(path) || path.Contains('\\', StringComparison.Ordinal) || path.Split('/').Any(part => part is "" or "." or ".."))
            throw file.Bad("must be the path of a file below the definition's folder, with '/' between its parts");
        if (_prompts(path) is not { } bytes) throw new RefusedException(Refusal.Invalid(file.Path, $"'{file.Path}' names '{path}', which is not there below the definition's folder."));
        if (view.Optional("sha256") is { } expected && Convert.ToHexStringLower(SHA256.HashData(bytes.Span)) is var hash && !hash.Equals(expected.Text(), StringComparison.OrdinalIgnoreCase))
            throw new RefusedException(Refusal.Invalid(expected.Path, $"'{expected.Path}' is not the hash of '{path}', which is {hash}. Look at what changed, then write this hash."));
        var text = Text(bytes, message => throw new RefusedException(Refusal.Invalid(file.Path, $"'{path}': {message}")))!;
        return text.StartsWith("---\n", StringComparison.Ordinal) || text.StartsWith("---\r\n", StringComparison.Ordinal)
            ? throw new RefusedException(Refusal.Invalid(file.Path, $"'{path}' begins with front matter. The prompt of an agent is plain text: remove all up to the second '---'."))
            : text;
    }

    private static string? Text(ReadOnlyMemory<byte> bytes, Action<string> fail)
    {
        var text = bytes.Span;
        if (text.Length > LargestBytes)
        {
            fail($"The file is larger than {LargestBytes / 1024} KiB.");
            return null;
        }

        if (text.StartsWith(Encoding.UTF8.Preamble)) text = text[Encoding.UTF8.Preamble.Length..];
        try
        {
            return Strict.GetString(text);
        }
        catch (DecoderFallbackException)
        {
            fail("The file is not valid UTF-8.");
            return null;
        }
    }

    private void Fail(string path, string message) => _errors.Add(new AgentError(_file, LineOf(path), message));

    /// <summary>Of the path, or of the nearest that leads to it.</summary>
    private int LineOf(string path)
    {
        while (!_lines.ContainsKey(path) && path.LastIndexOfAny(['.', '[']) is var end and > 0) path = path[..end];
        return _lines.GetValueOrDefault(path, _lines.Count > 0 ? 1 : 0);
    }
}
