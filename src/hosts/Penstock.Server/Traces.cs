using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Penstock.Server;

/// <summary>
/// Sends the spans of requests to a collector by OTLP, where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names one: that of AWS Distro for OpenTelemetry hands them to
/// X-Ray. The other variables of OpenTelemetry (sampler, headers, resource) hold too. What is sent has no text of a prompt or an answer in it.
/// </summary>
internal static class Traces
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string TracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    /// <summary>Null where nobody collects them, and then a span costs nothing. Disposing sends what is left.</summary>
    public static IDisposable? Start(IConfiguration configuration)
    {
        if (string.IsNullOrEmpty(configuration[Endpoint]) && string.IsNullOrEmpty(configuration[TracesEndpoint])) return null;
        return Sdk.CreateTracerProviderBuilder()
            .ConfigureServices(services => services.AddSingleton(configuration))
            .ConfigureResource(resource => resource.AddService("penstock").AddEnvironmentVariableDetector())
            .AddSource(PenstockSetup.SpanSource, "Microsoft.AspNetCore")
            .AddOtlpExporter(otlp => otlp.Protocol = ProtocolOf(configuration))
            .Build();
    }

    /// <summary>As OpenTelemetry specifies it, where the SDK of .NET still begins with gRPC.</summary>
    private static OtlpExportProtocol ProtocolOf(IConfiguration configuration) =>
        (configuration["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? configuration["OTEL_EXPORTER_OTLP_PROTOCOL"]) == "grpc" ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
}
