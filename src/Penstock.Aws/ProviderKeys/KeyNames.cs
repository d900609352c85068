using System.Text.Json;
using Penstock.Gateway.Routing;

namespace Penstock.Aws.ProviderKeys;

internal static class KeyNames
{
    public static string Of(string prefix, string vendor) => $"{prefix}/{vendor}-api-key";

    /// <exception cref="PlatformKeysUnreadableException">There is no such list.</exception>
    public static Dictionary<string, string> Read(JsonElement answer, string list, string value, string prefix, IReadOnlyList<string> vendors)
    {
        if (!answer.TryGetProperty(list, out var values) || values.ValueKind != JsonValueKind.Array) throw new PlatformKeysUnreadableException($"the answer has no '{list}'");
        var keys = new Dictionary<string, string>();
        foreach (var entry in values.EnumerateArray())
        {
            var name = Text(entry, "Name");
            if (vendors.FirstOrDefault(vendor => Of(prefix, vendor) == name) is { } found && Text(entry, value) is { } key) keys[found] = key.Trim();
        }

        return keys;
    }

    public static string? Text(JsonElement entry, string name) => entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
}
