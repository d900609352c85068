using System.Text;
using Microsoft.Extensions.Configuration;
using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Tests.Configuration;

/// <summary>Reads configuration text as a host would.</summary>
internal static class Sections
{
    /// <summary>Errors of one section; its values are in force where there are none.</summary>
    public static IReadOnlyList<string> Read(this IConfigSection section, string json)
    {
        var read = new ConfigRead(JsonView.Parse(Encoding.UTF8.GetBytes(json)));
        var apply = section.Read(read);
        if (read.Errors.Count == 0) apply();
        return read.Errors;
    }

    public static EnvironmentKeys Environment(params IEnumerable<(string Name, string? Value)> keys) =>
        EnvironmentKeys.Read(new ConfigurationBuilder().AddInMemoryCollection(keys.ToDictionary(key => key.Name, key => key.Value)).Build());
}
