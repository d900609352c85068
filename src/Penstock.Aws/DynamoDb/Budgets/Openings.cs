using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Opens the account of a budget in a period: what was spent in it before counts, and what is running holds on it. Calls go on all the while.
/// <code>
/// 1 The balance is put with a gate. What books on an account waits at its gate, or helps to open it, so that nobody waits for a process that died.
/// 2 Every hold under the budget that does not lie on the account is put on it, with its money, in one transaction each. A hold that is settled first
///   is gone then, and its cost is in the rollups. No new one can be missed: a reservation checks the version of the budgets it knows, and whoever knows
///   this one reserves on its account, which has a gate.
/// 3 The rollups are summed. They stand still now: what could change them under this budget is a hold on the account, which waits, or an attempt without
///   a hold, which must find the account absent or open.
/// 4 The sum is added and the gate taken away, in one write that only one of several openers makes.
/// </code>
/// A run's account has no gate: it begins at nothing, before anything is held or booked on it.
/// </summary>
internal sealed class Openings(DynamoDatabase database, Balances balances, HoldItems holds, DynamoUsageStore usage)
{
    private const string IsAbsent = "attribute_not_exists(#userId)";
    private const string PutRun = $"{PutNothing}, #openedAt = :openedAt";
    private const string PutGate = $"{PutNothing}, #gate = :one";
    private const string PutNothing = "SET #used = :zero, #spent = :zero, #number = :zero, #tenant = :tenant, #kind = :kind, #name = :name, #period = :period, #start = :start, #epoch = :epoch, #limit = :limit, #hard = :hard, #zone = :zone, #alerted = :zero";
    private const string PutEnd = ", #end = :end";
    private const string HasGate = "attribute_exists(#gate)";
    private const string AddHeld = "ADD #used :held";
    private const string Open = "SET #used = #used + :sum, #spent = #spent + :sum REMOVE #gate";

    /// <summary>Opens those of the accounts that are not, and returns where all of them stand, in order.</summary>
    public async Task<IReadOnlyList<Standing>> EnsureAsync(IReadOnlyList<Account> accounts, CancellationToken ct)
    {
        var backoff = new Backoff(database.Time);
        do
        {
            var standing = await balances.ReadAsync([.. accounts.Select(account => account.Id)], ct);
            var closed = accounts.Where(account => standing.GetValueOrDefault(account.Id) is not { IsOpen: true }).ToList();
            if (closed.Count == 0) return [.. accounts.Select(account => standing[account.Id])];
            foreach (var account in closed) await OpenAsync(account, ct);
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException("The balances of a call's budgets could not be opened. Try again.");
    }

    /// <summary>Helps to open the account whose gate refused a write.</summary>
    public Task HelpAsync(Item balance, CancellationToken ct) => OpenAsync(Read(balance), ct);

    private async Task OpenAsync(Account account, CancellationToken ct)
    {
        if (account.Budget.Scope.Kind == BudgetScopeKind.Run)
        {
            await PutAsync(account, PutRun, Values(account).Set(":openedAt", account.At!.Value.ToUnixTimeMilliseconds()), ct);
            return;
        }

        await PutAsync(account, account.Window.End is null ? PutGate : PutGate + PutEnd, Values(account).Set(":one", 1).Set(":end", account.Window.End?.ToUnixTimeMilliseconds()), ct);
        await AdoptAsync(account, ct);
        var sum = await usage.CostAsync(account.Budget.Tenant, Query(account), ct);
        await database.UpdateAsync(database.Tables.Budgets, Balances.Key(account.Id), Open, HasGate, new Item().Set(":sum", sum.NanoDollars), ct);
    }

    private Task<Item?> PutAsync(Account account, string nothing, Item values, CancellationToken ct) =>
        database.UpdateAsync(database.Tables.Budgets, Balances.Key(account.Id), nothing, IsAbsent, values, ct);

    private static Item Values(Account account)
    {
        var budget = account.Budget;
        return new Item().Set(":zero", 0).Set(":tenant", budget.Tenant.Value).Set(":kind", (long)budget.Scope.Kind).Set(":name", budget.Scope.Name)
            .Set(":period", (long)budget.Period).Set(":start", account.Window.Start.ToUnixTimeMilliseconds()).Set(":epoch", account.Epoch)
            .Set(":limit", budget.Limit.NanoDollars).Set(":hard", budget.Hard).Set(":zone", budget.TimeZone);
    }

    private async Task AdoptAsync(Account account, CancellationToken ct)
    {
        var (start, end) = account.Window;
        foreach (var hold in await holds.AllAsync(account.Budget.Tenant, ct))
        {
            if (!hold.IsUnder(account.Budget.Scope) || hold.At < start || hold.At >= end || hold.Accounts.Contains(account.Id)) continue;
            await AdoptAsync(account, hold, ct);
        }
    }

    private async Task AdoptAsync(Account account, Hold hold, CancellationToken ct)
    {
        var backoff = new Backoff(database.Time);
        do
        {
            var transaction = new Transaction();
            var adoption = holds.Adopt(transaction, hold, account.Id);
            transaction.Update(database.Tables.Budgets, Balances.Key(account.Id), AddHeld, HasGate, new Item().Set(":held", hold.Granted.NanoDollars));
            var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
            // Refused: it was settled, or another opener has it, or has opened. Either way it is counted once.
            if (!outcome.Refused.TryGetValue(adoption, out var item) || item is null) return;
            // Or it is a slice of which less is left by now.
            hold = HoldItems.Read(item);
            if (hold.Accounts.Contains(account.Id)) return;
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"What attempt '{hold.Attempt}' holds could not be put on a budget. Try again.");
    }

    private static UsageQuery Query(Account account)
    {
        var scope = account.Budget.Scope;
        var query = new UsageQuery { From = account.Window.Start, To = account.Window.End ?? DateTimeOffset.MaxValue };
        return scope.Kind switch
        {
            BudgetScopeKind.Tenant => query,
            BudgetScopeKind.Project => query with { Project = new ProjectId(scope.Name) },
            BudgetScopeKind.Key => query with { Key = new KeyId(scope.Name) },
            BudgetScopeKind.User => query with { EndUser = scope.Name },
            _ => query with { Model = scope.Name },
        };
    }

    /// <summary>What a balance is of, as whoever opened it or reserved on it last knew it.</summary>
    public static Account Read(Item balance) => new(
        new Budget
        {
            Tenant = new TenantId(balance.Text("tenant")),
            Scope = new BudgetScope((BudgetScopeKind)balance.Long("kind"), balance.Text("name")),
            Period = (BudgetPeriod)balance.Long("period"),
            Limit = new Money(balance.Long("limit")),
            Hard = balance.Flag("hard"),
            TimeZone = balance.Text("zone"),
        },
        new BudgetWindow(
            DateTimeOffset.FromUnixTimeMilliseconds(balance.Long("start")),
            balance.LongOrNull("end") is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null),
        balance.Long("epoch"));
}
