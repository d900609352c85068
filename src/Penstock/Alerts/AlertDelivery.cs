using Microsoft.Extensions.Logging;
using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>Takes alerts from the store, sends each to the channels that do not have it, and notes which do.</summary>
internal sealed partial class AlertDelivery(IAlertStore store, AlertChannels channels, TimeProvider time, ILogger<AlertDelivery> log)
{
    private static readonly TimeSpan SendWithin = TimeSpan.FromSeconds(10);

    // Longer than a try takes, so that no other node takes an alert while it is being sent.
    private static readonly TimeSpan ClaimFor = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ReportWithin = TimeSpan.FromSeconds(5);

    /// <summary>At most <paramref name="room"/> alerts that are due; none where the store fails.</summary>
    public async Task<IReadOnlyList<BudgetAlert>> TakeAsync(int room, CancellationToken ct)
    {
        if (room == 0) return [];
        try
        {
            var now = time.GetUtcNow();
            return await store.ClaimAsync(now, now + ClaimFor, room, ct);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogStoreFailed(e);
            return [];
        }
    }

    /// <summary>Never throws. <paramref name="stopping"/> ends it early, and what was not sent is due again at once.</summary>
    public async Task DeliverAsync(BudgetAlert alert, CancellationToken stopping)
    {
        try
        {
            if (alert.Tries == 1) Announce(alert);
            var delivered = await SendAsync(alert, stopping);
            using var limit = new CancellationTokenSource(ReportWithin, time);
            await store.ReportAsync(alert, delivered, NextTry(alert, delivered, stopping.IsCancellationRequested), limit.Token);
        }
        catch (Exception e)
        {
            // The claim ends by itself, and the alert is due again.
            LogFailed(e, alert.Id);
        }
    }

    private void Announce(BudgetAlert alert)
    {
        var (title, spent) = (AlertText.Title(alert), AlertText.Spent(alert));
        LogRaised(title, spent, alert.Id);
    }

    /// <returns>Every channel that has it by now.</returns>
    private async Task<IReadOnlyList<string>> SendAsync(BudgetAlert alert, CancellationToken stopping)
    {
        // Nothing was sent while alerts were off: nobody wants those of last month now.
        if (alert.Tries == 1 && IsOld(alert)) return alert.Delivered;
        var waiting = channels.Current.Where(channel => !alert.Delivered.Contains(channel.Name));
        var sent = await Task.WhenAll(waiting.Select(async channel => await TrySendAsync(channel, alert, stopping) ? channel.Name : null));
        return [.. alert.Delivered, .. sent.OfType<string>()];
    }

    private async Task<bool> TrySendAsync(IAlertChannel channel, BudgetAlert alert, CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(SendWithin, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token);
        try
        {
            await channel.SendAsync(alert, both.Token);
            return true;
        }
        catch (NotSentException e)
        {
            LogNotSent(alert.Id, channel.Name, alert.Tries, e.Message);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            LogNotSent(alert.Id, channel.Name, alert.Tries, $"it did not answer within {SendWithin.TotalSeconds} s");
        }
        catch (OperationCanceledException)
        {
            // This server is stopping: the next one sends it.
        }

        return false;
    }

    /// <summary>Null where everybody has it, or it is too late.</summary>
    private DateTimeOffset? NextTry(BudgetAlert alert, IReadOnlyList<string> delivered, bool stopping)
    {
        var missing = channels.Current.Select(channel => channel.Name).Except(delivered).ToArray();
        if (missing.Length == 0) return null;
        if (stopping) return time.GetUtcNow();
        if (!IsOld(alert)) return time.GetUtcNow() + Backoff.After(alert);
        var (title, untold) = (AlertText.Title(alert), string.Join(", ", missing));
        if (alert.Tries == 1) LogTooOld(alert.Id, alert.At);
        else LogGivenUp(alert.Id, title, untold, alert.Tries);
        return null;
    }

    private bool IsOld(BudgetAlert alert) => time.GetUtcNow() - alert.At >= Backoff.GiveUpAfter;

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Title}: {Spent} ({Id})")]
    private partial void LogRaised(string title, string spent, string id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Alert {Id} did not reach {Channel} at try {Try}: {Why}; it is tried again")]
    private partial void LogNotSent(string id, string channel, int @try, string why);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Alert {Id} is given up after {Tries} tries in three days. Not told: {Channels}. It said: {Title}")]
    private partial void LogGivenUp(string id, string title, string channels, int tries);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Alert {Id} was raised at {At}, more than three days ago: it is not sent any more")]
    private partial void LogTooOld(string id, DateTimeOffset at);

    [LoggerMessage(Level = LogLevel.Error, Message = "The store of alerts failed; what is due stays due")]
    private partial void LogStoreFailed(Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "Alert {Id} could not be dealt with; it is due again within a minute")]
    private partial void LogFailed(Exception e, string id);
}
