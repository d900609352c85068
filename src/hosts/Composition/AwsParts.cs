using Penstock.Aws;
using Penstock.Configuration;

namespace Penstock.Hosts;

/// <summary>What of AWS the environment names, beside the tables.</summary>
internal static class AwsParts
{
    public static IServiceCollection AddAws(this IServiceCollection services, EnvironmentKeys environment)
    {
        services.AddAwsServices(environment);
        if (environment.Aws.Emf) services.AddEmfMetrics(Lines);
        return services;
    }

    /// <summary>Through the log where that writes to the same place, so that no line is within another.</summary>
    private static Action<ReadOnlyMemory<byte>> Lines(IServiceProvider services)
    {
        if (services.GetService<JsonLog>() is { } log) return line => log.AddLine(line.Span);
        var output = Console.OpenStandardOutput();
        return line => output.Write(line.Span);
    }
}
