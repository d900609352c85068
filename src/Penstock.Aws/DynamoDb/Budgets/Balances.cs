using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// The table <c>ai-platform-budgets</c>: one item an account. <c>used</c> is what is spent and held together, so that one condition keeps the cap;
/// <c>number</c> is the last entry's; <c>gate</c> stands while the account is being opened, and nothing is booked on it then (see <see cref="Openings"/>).
/// </summary>
internal sealed class Balances(DynamoDatabase database, Thresholds thresholds)
{
    private const string IsOpen = "attribute_exists(#userId) AND attribute_not_exists(#gate) AND #number < :number";

    // The condition that keeps a hard cap, whatever was read before: room is the limit less what is to be held.
    private const string HasRoom = $"{IsOpen} AND #used <= :room";

    // The budget comes along, so that who settles knows what a threshold is of.
    private const string Hold = "SET #number = :number, #limit = :limit, #hard = :hard, #zone = :zone";
    private const string HoldUntil = ", #leasedUntil = :leasedUntil";
    private const string HoldAmount = " ADD #used :held";
    private const string Book = "SET #number = :last";
    private const string BookAmounts = " ADD #used :used, #spent :spent";
    private const string IsAbsent = "attribute_not_exists(#userId)";

    public static Item Key(string account) => new Item().Set("userId", account);

    /// <summary>By account; those that were never opened are missing.</summary>
    public async Task<Dictionary<string, Standing>> ReadAsync(IReadOnlyCollection<string> accounts, CancellationToken ct)
    {
        if (accounts.Count == 0) return [];
        var items = await database.GetAsync(database.Tables.Budgets, [.. accounts.Distinct().Select(Key)], ct);
        foreach (var item in items) thresholds.Observe(item);
        return items.ToDictionary(item => item.Text("userId"), Standing.Read);
    }

    /// <summary>Holds on the account; refused where it is a hard one's last.</summary>
    /// <param name="leasedUntil">For a slice: until when calls are admitted from it, Unix milliseconds.</param>
    public int Reserve(Transaction transaction, Account account, Money held, long number, long? leasedUntil = null)
    {
        var budget = account.Budget;
        var values = new Item().Set(":held", held.NanoDollars).Set(":number", number).Set(":limit", budget.Limit.NanoDollars).Set(":hard", budget.Hard).Set(":zone", budget.TimeZone);
        values.Set(":leasedUntil", leasedUntil);
        if (budget.Hard) values.Set(":room", checked(budget.Limit.NanoDollars - held.NanoDollars));
        var update = Hold + (leasedUntil is null ? "" : HoldUntil) + HoldAmount;
        return transaction.Update(database.Tables.Budgets, Key(account.Id), update, budget.Hard ? HasRoom : IsOpen, values);
    }

    /// <summary>Releases what was held and books what was spent, with the alerts that this raises.</summary>
    /// <param name="number">The first entry's.</param>
    /// <param name="last">The last one's, where there are several.</param>
    public (int Index, Guard Guard) Post(Transaction transaction, string account, Money released, Money spent, long number, DateTimeOffset at, long? last = null)
    {
        var guard = thresholds.Foresee(transaction, account, spent, at);
        var values = guard.Values.Copy().Set(":used", checked(spent.NanoDollars - released.NanoDollars)).Set(":spent", spent.NanoDollars).Set(":number", number).Set(":last", last ?? number);
        return (transaction.Update(database.Tables.Budgets, Key(account), Book + guard.Set + BookAmounts, IsOpen + guard.Condition, values), guard);
    }

    /// <summary>Makes the transaction fail where somebody opens the account meanwhile: its opening counts what is booked before it.</summary>
    public int CheckAbsent(Transaction transaction, string account) => transaction.Check(database.Tables.Budgets, Key(account), IsAbsent);
}

/// <summary>A balance as it was read.</summary>
/// <param name="IsOpen">False while what was before it is still being counted.</param>
/// <param name="Alerted">The highest threshold raised; zero for none.</param>
/// <param name="LeasedUntil">Until when slices of it are open, Unix milliseconds: what they do not use goes back then. Zero where none ever was.</param>
internal sealed record Standing(Money Spent, Money Held, long Number, bool IsOpen, int Alerted, long LeasedUntil)
{
    public static Standing Read(Item item) => new(
        new Money(item.Long("spent")),
        new Money(item.Long("used") - item.Long("spent")),
        item.Long("number"),
        !item.Has("gate"),
        (int)item.Long("alerted"),
        item.LongOrNull("leasedUntil") ?? 0);

    public BudgetStatus Of(Account account) => new(account.Budget, account.Window, Spent, Held);
}
