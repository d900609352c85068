using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Crash;

/// <summary>Everything that clients, providers and the ledger have said so far, and whether it is the same money.</summary>
internal sealed class CrashBooks
{
    private const decimal NanosPerDollar = 1_000_000_000m;

    private readonly Dictionary<string, Bill> _bills = [];
    private readonly Dictionary<string, Entry> _rows = [];
    private readonly Dictionary<CallFate, long> _fates = [];
    private readonly HashSet<string> _acknowledged = [];

    /// <summary>Answers that their clients had in full.</summary>
    public int Acknowledged => _acknowledged.Count;

    public int Unknown => _rows.Values.Count(row => row.Outcome == "unknown");

    public void Add(IReadOnlyCollection<CrashResult> results)
    {
        foreach (var result in results)
        {
            _fates[result.Fate] = _fates.GetValueOrDefault(result.Fate) + 1;
            if (result.Fate == CallFate.Answered) _acknowledged.Add(result.Request!);
        }
    }

    /// <summary>A provider that had not read the call yet bills nothing.</summary>
    public void Add(IEnumerable<SeenCall> seen)
    {
        foreach (var call in seen.Where(call => call is { Model: not null, ClientRequestId: not null })) _bills.Add(call.ClientRequestId!, Bill.Of(call));
    }

    public void Add(IEnumerable<Entry> rows)
    {
        foreach (var row in rows)
        {
            if (_rows.TryGetValue(row.Attempt, out var known)) Assert.Equal(known, row);
            _rows[row.Attempt] = row;
        }
    }

    /// <summary>Percent of the calls that the budgets had to decide on.</summary>
    public static int Admitted(IReadOnlyCollection<CrashResult> results) =>
        results.Count == 0 ? 50 : 100 * results.Count(result => result.Fate is CallFate.Answered or CallFate.Left) / Math.Max(1, results.Count(result => result.Fate is CallFate.Answered or CallFate.Left or CallFate.Refused));

    /// <summary>No acknowledged settle is lost: what a client has is booked as complete.</summary>
    public void AcknowledgedAreBooked()
    {
        var booked = _rows.Values.Where(row => row.Outcome == "completed").Select(row => row.Request).ToHashSet();
        var lost = _acknowledged.Where(request => !booked.Contains(request)).ToArray();
        Assert.True(lost.Length == 0, $"{lost.Length} answers that clients have are not booked, such as {string.Join(", ", lost.Take(5))}");
    }

    /// <summary>Once every hold is over: each bill has its row, to the nano-dollar; but for what a kill cut, which is at its ceiling and says so.</summary>
    public void BilledIsBooked()
    {
        Assert.All(_bills.Values, bill => Assert.True(_rows.ContainsKey(bill.Attempt), $"{bill} is in no ledger"));
        foreach (var row in _rows.Values)
        {
            var billed = BilledFor(row);
            if (row is { Outcome: "completed", Estimated: false }) Assert.True(billed == Nanos(row), $"{row} was billed {billed}");
            else if (row.Outcome == "unknown") Assert.True(row.Estimated && billed <= Nanos(row), $"{row} was billed {billed}");
            else Assert.True(row is { Outcome: "client_gone" }, $"{row} ended otherwise than a client or a kill would end it");
        }
    }

    public long Booked => _rows.Values.Sum(Nanos);

    public IEnumerable<string> Report()
    {
        yield return $"calls: {_fates.Values.Sum()}, of which {string.Join(", ", _fates.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} {Name(pair.Key)}"))}";
        yield return Line("completed", "answers metered by the provider", row => row is { Outcome: "completed", Estimated: false });
        yield return Line("client left", "cancelled before the provider told its count, marked estimated", row => row.Outcome == "client_gone");
        yield return Line("in flight at a kill", "booked at their ceiling, outcome 'unknown'", row => row.Outcome == "unknown");
    }

    private string Line(string name, string what, Func<Entry, bool> belongs)
    {
        var rows = _rows.Values.Where(belongs).ToArray();
        var (booked, billed) = (rows.Sum(Nanos), rows.Sum(BilledFor));
        return FormattableString.Invariant($"{name}: {rows.Length} ({what}): ledger {booked / NanosPerDollar:0.000000000} USD, billed {billed / NanosPerDollar:0.000000000} USD, difference {(booked - billed) / NanosPerDollar:0.000000000} USD");
    }

    private long BilledFor(Entry row) => _bills.TryGetValue(row.Attempt, out var bill) ? bill.Nanos : 0;

    private static long Nanos(Entry row) => (long)(row.Cost * NanosPerDollar);

    private static string Name(CallFate fate) => fate switch
    {
        CallFate.Answered => "answered in full",
        CallFate.Refused => "refused (402)",
        CallFate.Left => "left by their client",
        CallFate.Broken => "broken by a kill",
        _ => "sent away by a server that was stopping",
    };
}
