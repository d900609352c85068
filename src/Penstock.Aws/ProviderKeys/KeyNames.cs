using System.Text.Json;

namespace Penstock.Aws.ProviderKeys;

internal static class KeyNames
{
    public static string Of(string prefix, string vendor) => $"{prefix}/{vendor}-api-key";

    public static Dictionary<string, string> Read(JsonElement values, string value, string prefix, IReadOnlyList<string> vendors)
    {
        var keys = new Dictionary<string, string>();
        foreach (var entry in values.EnumerateArray())
        {
            var name = entry.GetProperty("Name"u8).GetString();
            if (vendors.FirstOrDefault(vendor => Of(prefix, vendor) == name) is { } found && entry.TryGetProperty(value, out var text) && text.GetString() is { } key) keys[found] = key.Trim();
        }

        return keys;
    }
}
