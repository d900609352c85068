using System.Globalization;

namespace Penstock.Server;

/// <summary><c>Penstock.Server --health</c>: asks the server of this machine whether it is ready, for containers that hold nothing else that could ask.</summary>
internal static class HealthCheck
{
    public const string Argument = "--health";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <returns>The exit code: 0 where it is ready.</returns>
    public static async Task<int> RunAsync()
    {
        var port = int.TryParse(Environment.GetEnvironmentVariable("PORT"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : 3000;
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
        try
        {
            using var answer = await client.GetAsync(new Uri($"http://localhost:{port}/health/ready"));
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return 1;
        }
    }
}
