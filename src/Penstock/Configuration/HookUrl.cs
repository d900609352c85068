namespace Penstock.Configuration;

/// <summary>Where we send to of ourselves: https, or http on this machine only. Who can read the configuration chose it; nobody else can.</summary>
internal static class HookUrl
{
    public static bool Is(Uri url) => url.UserInfo.Length == 0 && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback));
}
