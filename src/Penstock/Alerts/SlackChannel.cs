using System.Buffers;
using System.Text.Json;
using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>A message to a Slack incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).</summary>
internal sealed class SlackChannel(Uri url, AlertHttp http) : IAlertChannel
{
    public string Name => "slack";

    public Task SendAsync(BudgetAlert alert, CancellationToken ct) => http.PostAsync(url, Body(alert), [], ct);

    private static ReadOnlyMemory<byte> Body(BudgetAlert alert)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(body);
        var title = $"{(alert.Threshold < 100 ? ":warning:" : ":rotating_light:")} {Escape(AlertText.Title(alert))}";
        json.WriteStartObject();
        // What a notification shows, and what a client that knows no blocks does.
        json.WriteString("text", $"{title}: {Escape(AlertText.Spent(alert))}");
        json.WriteBoolean("unfurl_links", false);
        json.WriteStartArray("blocks");
        Section(json, title);
        Section(json, $"{Escape(AlertText.Spent(alert))}\n{Escape(AlertText.Resets(alert))}");
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }

    /// <summary>Plain text: what a client named its user must not become a link or a mention.</summary>
    private static void Section(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "section");
        json.WriteStartObject("text");
        json.WriteString("type", "plain_text");
        json.WriteString("text", text);
        json.WriteBoolean("emoji", true);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The three characters that Slack gives a meaning to.</summary>
    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal);
}
