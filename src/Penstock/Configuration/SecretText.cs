using Penstock.Kernel;

namespace Penstock.Configuration;

/// <summary>A secret of <c>penstock.json</c>: itself, or <c>env:NAME</c> for an environment variable, which keeps it out of the file.</summary>
internal static class SecretText
{
    private const string EnvironmentPrefix = "env:";

    /// <summary>Never empty. A refusal names the field and the variable, not the value.</summary>
    public static string Read(JsonView text)
    {
        var value = text.NonEmptyText();
        if (!value.StartsWith(EnvironmentPrefix, StringComparison.Ordinal)) return value;
        var variable = value[EnvironmentPrefix.Length..];
        return Environment.GetEnvironmentVariable(variable) is { Length: > 0 } found ? found : throw text.Bad($"names the environment variable {variable}, which is not set");
    }
}
