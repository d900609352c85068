using System.Net;
using Microsoft.Extensions.Logging.Console;
using Penstock.Configuration;
using Penstock.Hosts;

namespace Penstock.Server;

/// <summary>How this host runs Kestrel, logging and its own life.</summary>
internal static class ServerSetup
{
    /// <summary>Time for booking after the last stream was cut.</summary>
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(10);

    public static void ConfigureServer(this IHostBuilder host, EnvironmentKeys environment) =>
        host.ConfigureHostOptions(options => options.ShutdownTimeout = environment.Drain + AfterDrain);

    public static void ConfigureServer(this IWebHostBuilder web, EnvironmentKeys environment) => web.ConfigureKestrel(kestrel =>
    {
        // On a laptop only this machine may call; port 0 can be had on one address only.
        if (environment.Platform != PlatformEnvironment.Development) kestrel.ListenAnyIP(environment.Port);
        else if (environment.Port == 0) kestrel.Listen(IPAddress.Loopback, 0);
        else kestrel.ListenLocalhost(environment.Port);
        kestrel.AddServerHeader = false;
        // A model may think for minutes, and a client may read slowly: silence is ended by our own timeouts, not by a rate.
        kestrel.Limits.MinResponseDataRate = null;
        // The limit is the gateway's, read while reading: see Bodies.
        kestrel.Limits.MaxRequestBodySize = null;
    });

    /// <summary>
    /// A request goes on where the news of its socket came in, on both sides, and not by way of a pool thread: one alone would be slower than neither.
    /// Nothing on such a thread may block or take long; see <see cref="Penstock.Http.LargeWork"/>.
    /// </summary>
    public static void UseInlineSockets(this IWebHostBuilder web)
    {
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        web.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
    }

    public static void ConfigureServer(this ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        // A person reads lines, a collector reads JSON.
        if (!Console.IsOutputRedirected)
        {
            logging.AddSimpleConsole(simple => (simple.SingleLine, simple.ColorBehavior) = (true, LoggerColorBehavior.Default));
            return;
        }

        logging.Services.AddSingleton(services => new JsonLog(services.GetRequiredService<TimeProvider>(), Console.OpenStandardOutput()));
        logging.Services.AddSingleton<ILoggerProvider>(services => services.GetRequiredService<JsonLog>());
    }
}
