using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Penstock.Configuration;

namespace Penstock.Server;

/// <summary>What a start says.</summary>
internal static partial class Welcome
{
    public static void Print(WebApplication app, EnvironmentKeys environment, string? firstKey)
    {
        var address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Penstock");
        foreach (var name in environment.NotYetUsed) LogNotYetUsed(log, name);
        if (firstKey is not null) PrintKey(address, firstKey);
        LogReady(log, address);
    }

    /// <summary>To the console and not to the log: a log is kept, and this is shown once.</summary>
    private static void PrintKey(string address, string key) => Console.Out.WriteLine($$"""

        Your admin key, shown this once:

            {{key}}

        A first call:

            curl {{address}}/ai -H 'Authorization: Bearer {{key}}' -H 'Content-Type: application/json' -d '{"prompt": "Summarise: A penstock is the gate that meters water into a turbine."}'

        """);

    [LoggerMessage(Level = LogLevel.Information, Message = "Penstock is ready on {Address}")]
    private static partial void LogReady(ILogger log, string address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Name} is set and valid, and not yet used by this version")]
    private static partial void LogNotYetUsed(ILogger log, string name);
}
