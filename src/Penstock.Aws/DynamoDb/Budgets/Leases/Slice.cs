using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>
/// Calls that are under the same budgets, in the same of their periods, and whose sums stand in the same rollups: of one tuple of names, and begun in one
/// quarter of an hour, on which every zone's midnight is.
/// </summary>
/// <param name="Accounts">The accounts over them, with their limits.</param>
internal readonly record struct SliceKey(TenantId Tenant, ProjectId Project, KeyId Key, string Model, string? EndUser, long Quarter, string Accounts);

/// <summary>
/// A hold from which this node admits calls in memory. What is free of it can be had by any call of its kind while it is open; then the rest goes back. Its
/// hold is written by one writer at a time, who enters <see cref="Writing"/>.
/// </summary>
internal sealed class Slice(Hold hold, LedgerRow row, long version, long openedAt, IReadOnlyList<BudgetStatus> budgets)
{
    private readonly Lock _lock = new();
    private readonly Queue<Line> _lines = [];
    private readonly HashSet<string> _accounts = [.. hold.Accounts];
    private Money _free = hold.Granted;
    private bool _isClosed;
    private int _returns;
    private int _running;

    public TenantId Tenant { get; } = hold.Tenant;

    public AttemptId Id { get; } = hold.Attempt;

    /// <summary>As what it is booked where its node died.</summary>
    public LedgerRow Row => row;

    /// <summary>Of the budgets under which it was taken.</summary>
    public long Version => version;

    public long OpenedAt => openedAt;

    /// <summary>As they stood when it was taken.</summary>
    public IReadOnlyList<BudgetStatus> Budgets => budgets;

    public SemaphoreSlim Writing { get; } = new(1, 1);

    /// <summary>As the writer knows it; null where a write had no answer, and it has to be read.</summary>
    public Hold? Hold { get; set; } = hold;

    /// <summary>The hold ended: all is settled and given back, or the sweeper booked it.</summary>
    public bool IsOver { get; set; }

    /// <summary>Of the names that its calls keep.</summary>
    public Hold Names { get; } = hold;

    public bool IsClosed
    {
        get
        {
            lock (_lock) return _isClosed;
        }
    }

    public bool HasLines
    {
        get
        {
            lock (_lock) return _lines.Count > 0;
        }
    }

    public bool LiesOn(IEnumerable<string> accounts) => accounts.Any(_accounts.Contains);

    /// <summary>Null where it is closed, has too little left, or ends before the call.</summary>
    public Lease? Take(HoldRequest request, long ofVersion, string token)
    {
        lock (_lock)
        {
            if (_isClosed || version != ofVersion || _free < request.Wanted || request.ExpiresAt > Names.ExpiresAt) return null;
            _free -= request.Wanted;
            _running++;
            return new Lease(this, request.Unsettled, request.Wanted, token);
        }
    }

    /// <summary>No call is admitted from it any more, and what is free of it goes back with the next write.</summary>
    public void Close()
    {
        lock (_lock)
        {
            if (_isClosed) return;
            _isClosed = true;
            _lines.Enqueue(Line.Return(_free, _returns++));
            _free = Money.Zero;
        }
    }

    /// <summary>What was kept for a call that does not need it goes back.</summary>
    public Line Return(Money free)
    {
        lock (_lock) return Line.Return(free, _returns++);
    }

    public void Add(Line line)
    {
        lock (_lock) _lines.Enqueue(line);
    }

    /// <summary>A call's end is to be written.</summary>
    public void AddEnd(Line line)
    {
        lock (_lock)
        {
            _running--;
            _lines.Enqueue(line);
        }
    }

    /// <summary>Its end could not be written; it may come again.</summary>
    public void RunsOn()
    {
        lock (_lock) _running++;
    }

    /// <summary>Whether calls run whose ends could share a write with those that wait for theirs.</summary>
    public bool IsWorthGathering(int most)
    {
        lock (_lock) return _running > 0 && _lines.Count < most;
    }

    public List<Line> Next(int most)
    {
        lock (_lock)
        {
            var lines = new List<Line>();
            while (lines.Count < most && _lines.TryDequeue(out var line)) lines.Add(line);
            return lines;
        }
    }
}
