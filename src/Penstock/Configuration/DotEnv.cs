using Microsoft.Extensions.Configuration;

namespace Penstock.Configuration;

/// <summary>Reads <c>.env</c>: <c>NAME=value</c> a line, <c>#</c> begins a comment, quotes around a value are taken off. The environment itself wins.</summary>
public static class DotEnv
{
    public static void AddDotEnv(this IConfigurationBuilder configuration, string path)
    {
        if (!File.Exists(path)) return;
        foreach (var line in File.ReadLines(path))
        {
            if (Parse(line) is not var (name, value)) continue;
            // Provider keys named in penstock.json as env:NAME are looked up in the process's environment.
            if (Environment.GetEnvironmentVariable(name) is null) Environment.SetEnvironmentVariable(name, value);
        }

        configuration.AddEnvironmentVariables();
    }

    private static (string Name, string Value)? Parse(string line)
    {
        var text = line.Trim();
        if (text.StartsWith("export ", StringComparison.Ordinal)) text = text["export ".Length..];
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || text[0] == '#') return null;
        var value = text[(equals + 1)..].Trim();
        if (value.Length >= 2 && value[0] == value[^1] && value[0] is '"' or '\'') value = value[1..^1];
        else if (value.IndexOf(" #", StringComparison.Ordinal) is >= 0 and var comment) value = value[..comment].TrimEnd();
        return (text[..equals].Trim(), value);
    }
}
