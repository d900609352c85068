using Penstock.Kernel;

namespace Penstock.Configuration;

/// <summary>
/// A slice's part of <c>penstock.json</c>. <see cref="Read"/> reports every error it finds and changes nothing;
/// what it returns puts the new values in force and is run only when no section found an error.
/// </summary>
public interface IConfigSection
{
    /// <summary>Top-level names this section owns.</summary>
    IReadOnlyList<string> Names { get; }

    Action Read(ConfigRead file);
}

/// <summary>One reading of the file: its root, and the errors found so far.</summary>
public sealed class ConfigRead(JsonView root)
{
    private readonly List<string> _errors = [];

    /// <summary>What paths in the file begin at.</summary>
    public string Folder { get; init; } = Environment.CurrentDirectory;

    public IReadOnlyList<string> Errors => _errors;

    public JsonView? Section(string name) => root.Optional(name);

    /// <summary>Members of an object section; none where it is absent.</summary>
    public IReadOnlyList<(string Name, JsonView Value)> Members(string section) =>
        Section(section) is { } found ? Try(() => found.Members().ToArray(), []) : [];

    /// <summary>What <paramref name="read"/> gives, or <paramref name="otherwise"/> and an error noted.</summary>
    public T Try<T>(Func<T> read, T otherwise)
    {
        try
        {
            return read();
        }
        catch (RefusedException e)
        {
            _errors.Add(e.Refusal.Message);
            return otherwise;
        }
    }

    public void Fail(string error) => _errors.Add(error);
}
