using System.Globalization;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway.Cache;

/// <summary>What one request says about the cache.</summary>
internal sealed record CacheWish
{
    public const string Header = "x-penstock-cache";
    public const string SpaceHeader = "x-penstock-cache-namespace";

    private const int LongestSpace = 64;

    public static readonly CacheWish Off = new() { On = false, Read = false, Write = false };

    public required bool On { get; init; }

    /// <summary>False for <c>cache-control: no-cache</c>: neither a kept answer nor one in flight will do.</summary>
    public required bool Read { get; init; }

    /// <summary>False for <c>cache-control: no-store</c>: the answer is not kept.</summary>
    public required bool Write { get; init; }

    /// <summary>The oldest answer that will do; null for any that is kept.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Keeps answers apart that would be the same otherwise; empty where nothing is said.</summary>
    public string Space { get; init; } = "";

    /// <summary>Throws 400 for a header that says nothing we know.</summary>
    public static CacheWish Of(HttpContext http, CacheOptions options)
    {
        var headers = http.Request.Headers;
        var on = headers[Header].ToString() switch
        {
            "" => options.On,
            "on" => true,
            "off" => false,
            _ => throw new RefusedException(Refusal.Invalid(Header, $"'{Header}' must be 'on' or 'off'.")),
        };
        if (!on) return Off;

        var space = headers[SpaceHeader].ToString();
        if (space.Length > LongestSpace || !OneLine.Is(space)) throw new RefusedException(Refusal.Invalid(SpaceHeader, $"'{SpaceHeader}' must be {LongestSpace} characters or fewer, none of them a control character."));
        var directives = headers.CacheControl.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return new CacheWish
        {
            On = true,
            Read = !directives.Contains("no-cache", StringComparer.OrdinalIgnoreCase),
            Write = !directives.Contains("no-store", StringComparer.OrdinalIgnoreCase),
            MaxAge = directives.Select(MaxAgeOf).FirstOrDefault(age => age is not null),
            Space = space,
        };
    }

    public bool Accepts(CachedAnswer answer, DateTimeOffset now) => answer.ExpiresAt > now && !(now - answer.At > MaxAge);

    /// <summary>A number that cannot be read asks for an answer of no age (RFC 9111, 4.2.1).</summary>
    private static TimeSpan? MaxAgeOf(string directive)
    {
        const string Name = "max-age=";
        if (!directive.StartsWith(Name, StringComparison.OrdinalIgnoreCase)) return null;
        return int.TryParse(directive.AsSpan(Name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;
    }
}
