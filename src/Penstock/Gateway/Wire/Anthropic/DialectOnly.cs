using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

internal static class DialectOnly
{
    /// <summary>Notes every member that is set and not among <paramref name="known"/>; <c>cache_control</c> is always known.</summary>
    public static void NoteUnknown(this List<string> noted, JsonView view, params ReadOnlySpan<string> known)
    {
        foreach (var member in view.Members())
        {
            if (member.Value.Kind != JsonValueKind.Null && member.Name != "cache_control" && !known.Contains(member.Name)) noted.Add(member.Value.Path);
        }
    }

    /// <summary><c>cache_control</c> of a block or tool. What is wrong with it is for its own vendor to say.</summary>
    public static CacheMark? CacheOf(JsonView view)
    {
        if (view.Optional("cache_control") is not { Kind: JsonValueKind.Object } mark) return null;
        return mark.Optional("ttl") is { Kind: JsonValueKind.String } ttl && ttl.Text() == "1h" ? CacheMark.OneHour : CacheMark.FiveMinutes;
    }
}
