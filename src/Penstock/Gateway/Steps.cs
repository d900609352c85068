using System.Diagnostics;

namespace Penstock.Gateway;

/// <summary>A span per step of the pipeline; costs nothing where nobody listens.</summary>
internal static class Steps
{
    public const string SourceName = "Penstock";

    private static readonly ActivitySource Source = new(SourceName);

    public static Activity? Start(string step) => Source.StartActivity(step);

    /// <summary>The call of a provider, with the attributes of OpenTelemetry's conventions for generative AI, and the attempt that stands in the ledger.</summary>
    public static Activity? StartCall(Attempt attempt)
    {
        var span = Source.StartActivity("call", ActivityKind.Client);
        if (span is not { IsAllDataRequested: true }) return span;
        return span.SetTag("gen_ai.provider.name", attempt.Target.Provider.Name).SetTag("gen_ai.request.model", attempt.Target.Model).SetTag("penstock.attempt", attempt.Id.Value);
    }
}
