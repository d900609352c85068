using System.Buffers;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Wire;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>Applies rules to one answer as it comes.</summary>
internal abstract class AnswerGuard(GuardTally tally)
{
    /// <summary>True from the match of a rule that blocks: nothing of the answer's content follows, and it ends as one that a filter ended.</summary>
    public bool Blocked => Tally.BlockedBy is not null;

    protected GuardTally Tally { get; } = tally;

    /// <summary>What may go out once this frame came: none, one or several. Where it is the last of its answer, so is the last of these.</summary>
    public abstract IReadOnlyList<ProviderFrame> Pass(in ProviderFrame frame);

    /// <summary>The one frame of a whole answer.</summary>
    public abstract ProviderFrame Whole(in ProviderFrame frame);
}

/// <summary>Rules that only count: what they look at goes out at once and as it came.</summary>
internal sealed class FlagGuard(UpdateGuard means, GuardTally tally) : AnswerGuard(tally)
{
    public override IReadOnlyList<ProviderFrame> Pass(in ProviderFrame frame)
    {
        means.Pass(frame);
        return [frame];
    }

    public override ProviderFrame Whole(in ProviderFrame frame)
    {
        means.Whole(frame);
        return frame;
    }
}

/// <summary>Writes an answer after rules were applied to it. Metering is done before: what a provider is paid for is what it wrote.</summary>
internal sealed class GuardedWriter(IAnswerWriter inner, AnswerGuard guard, RequestGuard request, Attempt attempt, IHeaderDictionary headers) : IAnswerWriter
{
    public void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output)
    {
        foreach (var shown in guard.Pass(frame)) inner.WriteFrame(shown, output);
    }

    public void WritePing(IBufferWriter<byte> output) => inner.WritePing(output);

    public void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output)
    {
        var shown = guard.Pass(last);
        foreach (var frame in shown.SkipLast(1)) inner.WriteFrame(frame, output);
        Note();
        inner.WriteEnd(shown[^1], receipt, output);
    }

    public void WriteError(Refusal refusal, IBufferWriter<byte> output) => inner.WriteError(refusal, output);

    public void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output)
    {
        var shown = guard.Whole(frame);
        Note();
        request.WriteTo(headers);
        inner.WriteWhole(shown, receipt, output);
    }

    /// <summary>An answer that was cut off is nobody's to be given again.</summary>
    private void Note() => attempt.Filtered |= guard.Blocked;
}
