using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Mcp;

/// <summary>Reads the section <c>mcp</c>.</summary>
internal sealed class McpSection : IConfigSection
{
    public IReadOnlyList<string> Names { get; } = ["mcp"];

    /// <summary>Web origins whose pages may call, beside those of this machine; none by default.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; private set; } = [];

    public Action Read(ConfigRead file)
    {
        if (file.Section("mcp") is not { } section) return () => AllowedOrigins = [];
        file.Try<object?>(() => { section.AllowOnly("allowedOrigins"); return null; }, null);
        var origins = file.Try(() => section.Optional("allowedOrigins")?.Items().Select(Origin).ToArray() ?? [], []);
        return () => AllowedOrigins = origins;
    }

    /// <summary>
    /// A browser says where the page comes from that sends a request, and no other client does. A page of elsewhere can reach a server on its reader's
    /// machine under a name that leads there, so that the address proves nothing and the origin does.
    /// </summary>
    public bool Allows(string origin) =>
        origin.Length == 0 || AllowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase) || (Uri.TryCreate(origin, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && IsHere(url));

    private static bool IsHere(Uri url) => url.Host is "localhost" or "127.0.0.1" or "[::1]";

    private static string Origin(JsonView text) =>
        Uri.TryCreate(text.Text(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.GetLeftPart(UriPartial.Authority) == text.Text()
            ? text.Text()
            : throw text.Bad("must be an origin such as https://app.example.com, without a path");
}
