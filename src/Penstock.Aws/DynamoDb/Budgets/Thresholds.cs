using System.Collections.Concurrent;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// What this node saw of accounts last, by which it foresees the booking that reaches a threshold. Any other booking is written under the condition that
/// it reaches none; where that fails, the refusal shows the account as it is, and the booking is written again, with its alerts.
/// </summary>
internal sealed class Thresholds(DynamoDatabase database, AlertItems alerts)
{
    private const int MostRemembered = 20_000;

    private const string ReachesNone = " AND #limit = :limit AND #spent < :below";
    private const string IsAsSeen = " AND #limit = :limit AND #spent = :seen AND #alerted = :alerted";
    private const string SetAlerted = ", #alerted = :reached";
    private const string MayRaise = "#alerted = :alerted";
    private const string Raised = "SET #alerted = :reached";

    private readonly ConcurrentDictionary<string, Seen> _seen = new();

    /// <summary>A balance as an item: it carries its budget as the last reservation knew it.</summary>
    public void Observe(Item balance)
    {
        if (_seen.Count >= MostRemembered) _seen.Clear();
        var (account, standing) = (Openings.Read(balance), Standing.Read(balance));
        _seen[balance.Text("userId")] = new Seen(account.Budget, account.Window, standing.Spent, standing.Alerted);
    }

    /// <summary>Reads those that were never seen.</summary>
    public async Task SeeAsync(IEnumerable<string> accounts, CancellationToken ct)
    {
        var unknown = accounts.Where(account => !_seen.ContainsKey(account)).Select(Balances.Key).ToList();
        if (unknown.Count == 0) return;
        foreach (var item in await database.GetAsync(database.Tables.Budgets, unknown, ct)) Observe(item);
    }

    /// <summary>What a booking of <paramref name="spent"/> must also check and set, and the alerts that it raises.</summary>
    public Guard Foresee(Transaction transaction, string account, Money spent, DateTimeOffset at)
    {
        if (spent <= Money.Zero || !_seen.TryGetValue(account, out var seen) || Next(seen) is not { } next) return Guard.None;
        var values = new Item().Set(":limit", seen.Budget.Limit.NanoDollars);
        if (seen.Spent + spent < next) return new Guard(ReachesNone, "", values.Set(":below", (next - spent).NanoDollars), []);

        var status = new BudgetStatus(seen.Budget, seen.Window, seen.Spent + spent, Money.Zero);
        var reached = AlertRules.Reached(status).Where(threshold => threshold > seen.Alerted).ToList();
        values.Set(":seen", seen.Spent.NanoDollars).Set(":alerted", seen.Alerted).Set(":reached", reached[^1]);
        return new Guard(IsAsSeen, SetAlerted, values, alerts.Raise(transaction, status, reached, at));
    }

    /// <summary>Raises what a refusal shows to be spent.</summary>
    public async Task RaiseRefusedAsync(Account account, BudgetStatus status, Standing standing, Money least, DateTimeOffset at, CancellationToken ct)
    {
        var reached = AlertRules.Refused(status, least).Where(threshold => threshold > standing.Alerted).ToList();
        while (reached.Count > 0)
        {
            var transaction = new Transaction();
            var values = new Item().Set(":alerted", standing.Alerted).Set(":reached", reached[^1]);
            var balance = transaction.Update(database.Tables.Budgets, Balances.Key(account.Id), Raised, MayRaise, values);
            var raised = alerts.Raise(transaction, status, reached, at);
            var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
            // Refused at the balance: another raised it.
            if (outcome.Written || outcome.RefusedAt(balance)) return;
            Learn(raised, outcome);
        }
    }

    public void Learn(IEnumerable<(int Index, string Id)> raised, Outcome outcome)
    {
        foreach (var (index, id) in raised.Where(alert => outcome.RefusedAt(alert.Index))) alerts.Refused(id);
    }

    /// <summary>The amount at which the next threshold is reached; null where all were.</summary>
    private static Money? Next(Seen seen)
    {
        foreach (var threshold in seen.Budget.Alerting.Where(threshold => threshold > seen.Alerted)) return new Money(Math.Max(1, (long)((((Int128)seen.Budget.Limit.NanoDollars * threshold) + 99) / 100)));
        return null;
    }

    private sealed record Seen(Budget Budget, BudgetWindow Window, Money Spent, int Alerted);
}

/// <param name="Condition">Beside the balance's own, or empty.</param>
/// <param name="Set">Beside what the balance sets, or empty.</param>
/// <param name="Raised">Alerts that are written with it.</param>
internal sealed record Guard(string Condition, string Set, Item Values, IReadOnlyList<(int Index, string Id)> Raised)
{
    public static readonly Guard None = new("", "", new Item(), []);
}
