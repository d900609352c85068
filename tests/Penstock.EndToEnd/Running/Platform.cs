using Penstock.Upstream;

namespace Penstock.EndToEnd.Running;

/// <summary>A stand-in and a server in front of it, shared by the tests of a class.</summary>
public class Platform : IAsyncLifetime
{
    internal UpstreamServer Upstream { get; private set; } = null!;

    internal ServerProcess Server { get; private set; } = null!;

    internal ApiContract Contract { get; private set; } = null!;

    /// <summary>With the operator's key.</summary>
    internal Api Admin { get; private set; } = null!;

    internal virtual string? Config => null;

    /// <summary>Over the usual environment.</summary>
    internal virtual IReadOnlyDictionary<string, string?> More(UpstreamServer upstream) => new Dictionary<string, string?>();

    /// <summary>Errors in the log that a test makes on purpose.</summary>
    internal Func<LogLine, bool> Expected { get; set; } = _ => false;

    public async ValueTask InitializeAsync()
    {
        Upstream = await UpstreamServer.StartAsync();
        Server = await ServerProcess.StartAsync(new ServerOptions { Config = Config, Environment = ServerOptions.Reaching(Upstream).Concat(More(Upstream)).ToDictionary() });
        Contract = await ApiContract.OfAsync(Server.Address);
        Admin = Client(Server.Options.AdminKey);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Admin is not null) Admin.Dispose();
        if (Server is not null)
        {
            try
            {
                // A server that ended by itself, that cannot stop in order, or that met a bug of its own, fails the class.
                await Server.CloseAsync();
                var bugs = Server.Log.Where(line => line.Level is "Error" or "Critical" && !Expected(line)).Select(line => $"{line.Message}: {line.Exception}").ToArray();
                if (bugs.Length > 0) Assert.Fail($"The server logged {bugs.Length} errors, such as\n{string.Join('\n', bugs.Take(3))}");
            }
            finally
            {
                await Server.DisposeAsync();
            }
        }

        if (Upstream is not null) await Upstream.DisposeAsync();
    }

    internal Api Client(string? key, TimeSpan? timeout = null) => new(Server.Address, Contract, key, timeout);
}
