using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Jobs;

/// <summary>What a client asks for: <c>{request: {path, body}, webhook, keepHours}</c>.</summary>
internal sealed record JobOrder(string Path, Scopes Scope, ReadOnlyMemory<byte> Body)
{
    private const int LongestUrl = 2_000;

    public Uri? Webhook { get; init; }

    public TimeSpan? Keep { get; init; }

    public static JobOrder Read(JsonView order)
    {
        order.AllowOnly("request", "webhook", "keepHours");
        var request = order.Required("request");
        request.AllowOnly("path", "body");
        var (path, scope) = JobPaths.Read(request.Required("path"));
        var body = request.Required("body");
        if (body.Kind != JsonValueKind.Object) throw body.Bad("must be an object");
        if (body.Optional("stream") is { Kind: JsonValueKind.True } stream) throw stream.Bad("must not be true: a job's answer is kept whole");
        var bytes = Encoding.UTF8.GetBytes(body.Raw());
        if (bytes.Length > IJobStore.MostBytes) throw body.Bad($"must have at most {IJobStore.MostBytes} bytes");
        return new JobOrder(path, scope, bytes)
        {
            Webhook = order.Optional("webhook") is { } webhook ? ReadWebhook(webhook) : null,
            Keep = order.Optional("keepHours") is { } hours ? TimeSpan.FromHours(hours.Whole(1, Jobs.LongestKeptHours)) : null,
        };
    }

    /// <summary>Where it leads is checked when it is called: a name may lead elsewhere by then.</summary>
    private static Uri ReadWebhook(JsonView text) =>
        Uri.TryCreate(text.ShortText(LongestUrl), UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp) && url.UserInfo.Length == 0
            ? url
            : throw text.Bad("must be an http or https URL without a user");
}
