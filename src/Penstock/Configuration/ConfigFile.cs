using System.Text;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Configuration;

/// <summary>Errors of a configuration, all of them at once.</summary>
public sealed class ConfigException(IReadOnlyList<string> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    public IReadOnlyList<string> Errors { get; } = errors;
}

/// <summary>
/// <c>penstock.json</c>: read at the start and whenever it changes. A reading with an error changes nothing: every error is named and the old values stay.
/// The file is polled, because change notices do not reach through every mount.
/// </summary>
public sealed partial class ConfigFile(string path, IEnumerable<IConfigSection> sections, TimeProvider time, ILogger<ConfigFile> log) : IDisposable
{
    private static readonly TimeSpan PollEvery = TimeSpan.FromSeconds(1);
    private const int LargestFile = 4 * 1024 * 1024;

    private readonly IReadOnlyList<IConfigSection> _sections = [.. sections];
    private ITimer? _timer;
    private byte[] _seen = [];
    private bool _blank;
    private string? _told;

    /// <summary>Reads the file; an absent one is an empty one. Throws <see cref="ConfigException"/>.</summary>
    public void Load()
    {
        _seen = Bytes();
        Apply(_seen);
    }

    public void Watch() => _timer ??= time.CreateTimer(static file => ((ConfigFile)file!).Poll(), this, PollEvery, PollEvery);

    public void Dispose() => _timer?.Dispose();

    private void Poll()
    {
        try
        {
            var bytes = Bytes();
            _told = null;
            if (bytes.AsSpan().SequenceEqual(_seen)) return;
            // Who writes a file may empty or remove it for a moment: nothing at all counts when it is still so at the next poll.
            _blank = IsBlank(bytes) && !_blank;
            if (_blank) return;
            _seen = bytes;
            Apply(bytes);
            LogReloaded(path);
        }
        catch (ConfigException e)
        {
            Refuse(e.Errors);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Refuse([e.Message]);
        }
    }

    /// <summary>Tells it once, not at every poll.</summary>
    private void Refuse(IReadOnlyList<string> errors)
    {
        var all = string.Join('\n', errors);
        if (all == _told) return;
        _told = all;
        foreach (var error in errors) LogRefused(path, error);
    }

    private byte[] Bytes()
    {
        var file = new FileInfo(path);
        if (!file.Exists) return [];
        return file.Length <= LargestFile ? File.ReadAllBytes(path) : throw new ConfigException([$"{path} is larger than {LargestFile} bytes."]);
    }

    private void Apply(byte[] bytes)
    {
        var root = Parse(bytes);
        var read = new ConfigRead(root) { Folder = Path.GetDirectoryName(Path.GetFullPath(path))! };
        var known = _sections.SelectMany(section => section.Names).ToArray();
        foreach (var (name, _) in root.Members())
        {
            if (!known.Contains(name) && name != "$schema") read.Fail($"'{name}' is not a section. Known: {string.Join(", ", known)}.");
        }

        var applies = _sections.Select(section => section.Read(read)).ToArray();
        if (read.Errors.Count > 0) throw new ConfigException(read.Errors);
        foreach (var apply in applies) apply();
    }

    private static JsonView Parse(byte[] bytes)
    {
        try
        {
            // Some editors put a mark before the text.
            var text = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsMemory(Encoding.UTF8.Preamble.Length) : bytes;
            return JsonView.Parse(IsBlank(text.Span) ? "{}"u8.ToArray() : text);
        }
        catch (RefusedException e)
        {
            throw new ConfigException([e.Refusal.Message.Replace("The body", "The file", StringComparison.Ordinal)]);
        }
    }

    private static bool IsBlank(ReadOnlySpan<byte> text) => text.Trim(" \r\n\t"u8).IsEmpty;

    [LoggerMessage(Level = LogLevel.Information, Message = "{Path} changed and is in force")]
    private partial void LogReloaded(string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} changed and is refused, the old values stay: {Error}")]
    private partial void LogRefused(string path, string error);
}
