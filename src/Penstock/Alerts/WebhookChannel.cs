using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>A signed POST as https://www.standardwebhooks.com specifies it.</summary>
internal sealed class WebhookChannel(WebhookTarget target, AlertHttp http, TimeProvider time) : IAlertChannel
{
    private const string Type = "budget.threshold_reached";

    public string Name { get; } = "webhook:" + target.Name;

    public Task SendAsync(BudgetAlert alert, CancellationToken ct)
    {
        var body = Body(alert);
        // Of this try, not of the alert: receivers refuse what is old.
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return http.PostAsync(target.Url, body, [("webhook-id", alert.Id), ("webhook-timestamp", timestamp), ("webhook-signature", target.Secret.Sign(alert.Id, timestamp, body.Span))], ct);
    }

    /// <summary>The same at every try.</summary>
    private static ReadOnlyMemory<byte> Body(BudgetAlert alert)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(body);
        json.WriteStartObject();
        json.WriteString("type", Type);
        json.WriteString("timestamp", alert.At);
        json.WriteStartObject("data");
        json.WriteString("id", alert.Id);
        json.WriteString("summary", AlertText.Title(alert));
        json.WriteNumber("threshold", alert.Threshold);
        json.WriteString("tenant", alert.Budget.Tenant.Value);
        json.WriteString("scope", alert.Budget.Scope.Kind.ToString().ToLowerInvariant());
        json.WriteString("name", alert.Budget.Scope.Name);
        json.WriteString("period", alert.Budget.Period.ToString().ToLowerInvariant());
        json.WriteBoolean("hard", alert.Budget.Hard);
        json.WriteString("timeZone", alert.Budget.TimeZone);
        json.WriteNumber("limit", alert.Budget.Limit.Usd);
        json.WriteNumber("spent", alert.Spent.Usd);
        if (AlertText.Percent(alert) is { } percent) json.WriteNumber("percent", percent);
        json.WriteString("periodStart", alert.Window.Start);
        if (alert.Window.End is { } end) json.WriteString("resetsAt", end);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }
}
