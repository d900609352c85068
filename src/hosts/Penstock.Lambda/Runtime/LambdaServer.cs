using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Penstock.Aws.CloudWatch;
using Penstock.Hosts;
using Penstock.Lambda.Http;

namespace Penstock.Lambda.Runtime;

/// <summary>
/// The server of this host: one event after the other, each settled, answered, logged and measured before the next is asked for. There the process may be frozen, for a
/// moment or for good.
/// </summary>
internal sealed partial class LambdaServer(RuntimeApi api, InvocationAnswers answers, JsonLog output, IHostApplicationLifetime life, ILogger<LambdaServer> log, EmfMetrics? metrics = null) : IServer
{
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    public IFeatureCollection Features { get; } = new FeatureCollection();

    /// <summary>True where the Runtime API was lost: the process is of no use any more.</summary>
    public bool Lost { get; private set; }

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        _loop = Task.Run(() => LoopAsync(exchange => RunAsync(application, exchange)), CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _loop.WaitAsync(cancellationToken);
    }

    public void Dispose() => _stop.Dispose();

    private async Task LoopAsync(Func<Exchange, Task> run)
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                var invocation = await api.NextAsync(_stop.Token);
                await answers.AnswerAsync(invocation, run);
                metrics?.Flush();
                output.Flush();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            LogLost(e);
            Lost = true;
            life.StopApplication();
        }
    }

    private static async Task RunAsync<TContext>(IHttpApplication<TContext> application, Exchange exchange)
        where TContext : notnull
    {
        var context = application.CreateContext(exchange.Features);
        Exception? failure = null;
        try
        {
            await application.ProcessRequestAsync(context);
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            await exchange.FireCompletedAsync();
            application.DisposeContext(context, failure);
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "The Runtime API cannot be used any more; the process ends")]
    private partial void LogLost(Exception e);
}
