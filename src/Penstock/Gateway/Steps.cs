using System.Diagnostics;

namespace Penstock.Gateway;

/// <summary>A span per step of the pipeline; costs nothing where nobody listens.</summary>
internal static class Steps
{
    public const string SourceName = "Penstock";

    private static readonly ActivitySource Source = new(SourceName);

    public static Activity? Start(string step) => Source.StartActivity(step);
}
