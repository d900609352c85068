using System.Globalization;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>A place in a run's events, written <c>seq.sub</c>: the entry of the journal, and the piece of the answer that grew behind it; 0 for the entry itself.</summary>
internal readonly record struct RunCursor(long Seq, int Sub) : IComparable<RunCursor>
{
    /// <summary>Before everything.</summary>
    public static readonly RunCursor Start = new(-1, 0);

    /// <summary>Throws 400 that names <paramref name="field"/>.</summary>
    public static RunCursor Parse(string text, string field)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && long.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && int.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sub)
            ? new RunCursor(seq, sub)
            : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must be the id of an event, such as 3.0. Leave it out to begin at the start."));
    }

    /// <summary>Throws 400 where the run has no such entry yet: whoever went on from there would miss what comes before it.</summary>
    public RunCursor In(RunRecord run, string field) => Seq < run.NextSeq
        ? this
        : throw new RefusedException(Refusal.Invalid(field, $"'{field}' is {this}, and run '{run.Id}' has {run.NextSeq} entries. Send the id of an event of this run."));

    public int CompareTo(RunCursor other) => (Seq, Sub).CompareTo((other.Seq, other.Sub));

    public static bool operator <(RunCursor left, RunCursor right) => left.CompareTo(right) < 0;
    public static bool operator >(RunCursor left, RunCursor right) => left.CompareTo(right) > 0;
    public static bool operator <=(RunCursor left, RunCursor right) => left.CompareTo(right) <= 0;
    public static bool operator >=(RunCursor left, RunCursor right) => left.CompareTo(right) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Seq}.{Sub}");
}
