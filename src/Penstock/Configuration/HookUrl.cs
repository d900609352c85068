using Penstock.Kernel;

namespace Penstock.Configuration;

/// <summary>Where we send to of ourselves: https, or http on this machine only. Who can read the configuration chose it; nobody else can.</summary>
internal static class HookUrl
{
    public static bool Is(Uri url) => url.UserInfo.Length == 0 && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback));

    /// <summary>A URL may itself be the secret: it is not repeated.</summary>
    public static Uri Read(JsonView text) => Uri.TryCreate(SecretText.Read(text), UriKind.Absolute, out var url) && Is(url)
        ? url
        : throw text.Bad("must be an https URL without a user (http only for this machine)");
}
