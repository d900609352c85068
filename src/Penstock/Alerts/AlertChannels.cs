using Penstock.Configuration;

namespace Penstock.Alerts;

/// <summary>Everybody who is told, under the configuration in force.</summary>
internal sealed class AlertChannels(AlertSection section, EnvironmentKeys environment, AlertHttp http, TimeProvider time)
{
    public IReadOnlyList<IAlertChannel> Current
    {
        get
        {
            var options = section.Current;
            var channels = new List<IAlertChannel>(options.Webhooks.Select(target => new WebhookChannel(target, http, time)));
            if (environment.SlackWebhook is { } slack) channels.Add(new SlackChannel(slack, http));
            if (environment.AlertEmail is { } to && options.Smtp is { } server) channels.Add(new EmailChannel(server, to, time));
            return channels;
        }
    }

    /// <summary>True where somebody is to get mail and nothing says how.</summary>
    public bool LacksServer => environment.AlertEmail is not null && section.Current.Smtp is null;

    /// <summary>A line of <c>penstock config</c>.</summary>
    public string Describe()
    {
        if (!environment.BudgetAlerts) return "off (BUDGET_ALERTS_ENABLED=false)";
        var names = string.Join(", ", Current.Select(channel => channel.Name));
        return (names.Length > 0 ? names : "only in the log") + (LacksServer ? "; ALERT_EMAIL gets none without alerts.smtp" : "");
    }
}
