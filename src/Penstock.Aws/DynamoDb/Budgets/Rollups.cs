using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>Every rollup of every tenant, for an audit.</summary>
internal sealed class Rollups
{
    private readonly Dictionary<Cell, Counted> _cells = [];

    /// <param name="Names">The project, key, model and provider, or the end user.</param>
    private readonly record struct Cell(string Tenant, Grain Grain, long From, bool ByUser, string Names);

    /// <summary>A sum and how it is spread, which can be compared.</summary>
    private sealed class Counted
    {
        public UsageSum Sum { get; set; } = UsageSum.Nothing;

        public UsageSpread Spread { get; } = new();

        public override string ToString() => $"{Sum} [{string.Join(' ', Spread.Latency.Buckets)}] [{string.Join(' ', Spread.FirstToken.Buckets)}] [{string.Join(' ', Spread.Cost.Buckets)}]";
    }

    public static Rollups Read(IEnumerable<Item> ledger)
    {
        var rollups = new Rollups();
        foreach (var item in ledger.Where(item => item.Has("grain")))
        {
            var user = item.TextOrNull("user");
            var names = user ?? NamesOf(item.Text("project"), item.Text("key"), item.Text("model"), item.Text("provider"));
            var counted = At(rollups._cells, new Cell(item.Text("tenant"), (Grain)item.Long("grain"), item.Long("from"), user is not null, names));
            counted.Sum += RollupItem.ReadSum(item);
            RollupItem.AddSpread(counted.Spread, item);
        }

        return rollups;
    }

    /// <summary>Each stretch whose attempts are all there, with what they add up to.</summary>
    public void CompareWithRows(List<(LedgerEntryKind Kind, LedgerRow Row)> rows, long before, List<string> differences)
    {
        var expected = new Dictionary<Cell, Counted>();
        foreach (var (kind, row) in rows)
        {
            foreach (var grain in RollupItem.Grains)
            {
                foreach (var cell in CellsOf(row, grain))
                {
                    var counted = At(expected, cell);
                    counted.Sum += RollupItem.SumOf(kind, row);
                    RollupItem.AddSpread(counted.Spread, kind, row);
                }
            }
        }

        foreach (var cell in expected.Keys.Union(_cells.Keys).Where(cell => cell.From >= before)) Compare(cell, _cells.GetValueOrDefault(cell), expected.GetValueOrDefault(cell), "its attempts are", differences);
    }

    /// <summary>Each day with its quarters of an hour, and each month with its days: these stay when attempts are dropped.</summary>
    public void CompareWithFiner(List<string> differences)
    {
        var expected = new Dictionary<Cell, Counted>();
        foreach (var (cell, finer) in _cells.Where(cell => cell.Key.Grain != Grain.Month))
        {
            var coarse = cell.Grain + 1;
            var counted = At(expected, cell with { Grain = coarse, From = Tiles.Floor(cell.From, coarse) });
            counted.Sum += finer.Sum;
            counted.Spread.Add(finer.Spread);
        }

        foreach (var cell in expected.Keys.Union(_cells.Keys).Where(cell => cell.Grain != Grain.Quarter)) Compare(cell, _cells.GetValueOrDefault(cell), expected.GetValueOrDefault(cell), "its parts are", differences);
    }

    /// <summary>What a budget's attempts cost in a period; parts of a quarter of an hour at the period's ends are looked up among the attempts.</summary>
    public Money CostOf(Budget budget, BudgetWindow window, List<LedgerRow> rows)
    {
        var (from, to) = (window.Start.ToUnixTimeMilliseconds(), window.End?.ToUnixTimeMilliseconds() ?? long.MaxValue);
        var (first, last) = (Tiles.Floor(from + Tiles.QuarterMs - 1, Grain.Quarter), to == long.MaxValue ? to : Tiles.Floor(to, Grain.Quarter));
        var whole = _cells.Where(cell => cell.Key.Grain == Grain.Quarter && cell.Key.Tenant == budget.Tenant.Value && cell.Key.From >= first && cell.Key.From < last && IsUnder(cell.Key, budget.Scope));
        var cost = whole.Aggregate(Money.Zero, (sum, cell) => sum + cell.Value.Sum.Cost);
        return rows.Where(row => row.Tenant == budget.Tenant && BudgetScope.Over(row).Contains(budget.Scope) && row.At.ToUnixTimeMilliseconds() is var at && at >= from && at < to && (at < first || at >= last))
            .Aggregate(cost, (sum, row) => sum + row.Cost);
    }

    private static void Compare(Cell cell, Counted? found, Counted? expected, string what, List<string> differences)
    {
        var (left, right) = (found ?? new Counted(), expected ?? new Counted());
        if (left.ToString() != right.ToString())
            differences.Add($"Tenant '{cell.Tenant}', {cell.Grain} from {DateTimeOffset.FromUnixTimeMilliseconds(cell.From):u} of {cell.Names}: the rollup is {left}, and {what} {right}.");
    }

    private static IEnumerable<Cell> CellsOf(LedgerRow row, Grain grain)
    {
        var from = Tiles.Floor(row.At.ToUnixTimeMilliseconds(), grain);
        yield return new Cell(row.Tenant.Value, grain, from, false, NamesOf(row.Project.Value, row.Key.Value, row.Model, row.Provider));
        if (!RollupItem.IsAnonymous(row)) yield return new Cell(row.Tenant.Value, grain, from, true, row.EndUser!);
    }

    private static bool IsUnder(Cell cell, BudgetScope scope)
    {
        if (scope.Kind == BudgetScopeKind.User) return cell.ByUser && cell.Names == scope.Name;
        if (cell.ByUser) return false;
        var names = cell.Names.Split(Separator);
        return scope.Kind switch
        {
            BudgetScopeKind.Tenant => true,
            BudgetScopeKind.Run => false,
            BudgetScopeKind.Project => names[0] == Escaped(scope.Name),
            BudgetScopeKind.Key => names[1] == Escaped(scope.Name),
            _ => names[2] == Escaped(scope.Name),
        };
    }

    private const char Separator = '/';

    private static string NamesOf(string project, string key, string model, string provider) => string.Join(Separator, Escaped(project), Escaped(key), Escaped(model), Escaped(provider));

    private static string Escaped(string name) => Uri.EscapeDataString(name);

    private static Counted At(Dictionary<Cell, Counted> cells, Cell cell)
    {
        if (!cells.TryGetValue(cell, out var counted)) cells[cell] = counted = new Counted();
        return counted;
    }
}
